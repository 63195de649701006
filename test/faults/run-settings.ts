import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import type { Extent } from './definitions/projections.ts'
import type { FailpointWeights } from './draw-rule.ts'
import { type FaultWeights, usualFaults } from './kinds/schedule.ts'
import type { MutationName } from './mutations.ts'
import type { Weights } from './weighted.ts'
import { usualWays, type WriterWeights } from './writers/writers.ts'

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
  /** Which projections workers apply. */
  readonly projections: Extent
  /** The chance of a worker to have code that cannot apply some events. */
  readonly defective: number
  /** Where processes die or stand still by themselves: each of those that it may come to. */
  readonly failpoints: FailpointWeights
}

export const usualSettings: RunSettings = {
  mutations: [],
  statements: [],
  writers: 8,
  ways: usualWays,
  modes: { auto: 2, wal: 3, poll: 3 },
  faults: usualFaults,
  faultPauseMs: { min: 50, max: 1_200 },
  impatient: 0.5,
  intruders: 0.1,
  projections: 'all',
  defective: 0.4,
  failpoints: {
    none: 2,
    'commit-received': 1,
    'ledger-sent': 1,
    'ledger-written': 1,
    'slot-created': 1,
    'slot-trusted': 1,
    'chunk-applied': 1,
    'event-parked': 1,
    'parked-retried': 1,
    'partitions-asked': 1,
    'partitions-replaced': 1,
    'indexes-made': 1,
    'version-ready': 1,
    'version-switched': 1,
    'views-switched': 1,
    'version-dropped': 1,
    'version-reset': 1,
    'inline-guarded': 1,
    'inline-owed': 1,
    'inline-applied': 1,
    'inline-switched': 1,
    'relay-confirmed': 1,
    // No processes are run, and no broker refuses a message for good.
    'process-acted': 0,
    'process-outcome-recorded': 0,
    'retried-confirmed': 0,
  },
}
