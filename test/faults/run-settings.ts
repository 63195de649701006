import type { Failpoint } from '../../src/core/failpoint.ts'
import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import type { MutationName } from './mutations.ts'
import { type FaultWeights, usualFaults } from './schedule.ts'
import type { Weights } from './weighted.ts'
import { usualWays, type WriterWeights } from './writers.ts'

/** What happens in a run, and how often. */
export interface RunSettings {
  /** Changes of the product that all workers run with. */
  readonly mutations: readonly MutationName[]
  /** Run on the database before it begins. */
  readonly statements: readonly string[]
  /** How many write at once. */
  readonly writers: number
  readonly ways: WriterWeights
  readonly modes: Weights<SequencerMode>
  readonly faults: FaultWeights
  /** Between the beginnings of two faults. */
  readonly faultPauseMs: { readonly min: number; readonly max: number }
  /** The chance of a worker to commit without waiting for a synchronous standby. */
  readonly impatient: number
  /** The chance of a worker to lead without asking whether another does. */
  readonly intruders: number
  /** Where workers die or stand still by themselves. */
  readonly failpoints: Weights<Failpoint | 'none'>
}

export const usualSettings: RunSettings = {
  mutations: [],
  statements: [],
  writers: 8,
  ways: usualWays,
  modes: { auto: 2, wal: 3, poll: 3 },
  faults: usualFaults,
  faultPauseMs: { min: 50, max: 1_500 },
  impatient: 0.5,
  intruders: 0.1,
  failpoints: {
    none: 1,
    'commit-received': 1,
    'ledger-sent': 1,
    'ledger-written': 1,
    'slot-created': 1,
    'chunk-applied': 1,
    // Reached by those who change versions.
    'version-switched': 0,
    'views-switched': 0,
    'indexes-made': 0,
    'version-ready': 0,
    'version-dropped': 0,
    'version-reset': 0,
    // Reached by those who append, and who change what is inline.
    'inline-applied': 0,
    'inline-switched': 0,
    'partitions-asked': 0,
    'partitions-replaced': 0,
    // No handler of these runs fails.
    'event-parked': 0,
    'parked-retried': 0,
  },
}
