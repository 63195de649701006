import type { Failpoint } from '../../src/core/failpoint.ts'
import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import type { Random } from '../support/random.ts'
import type { FailpointRule } from './failpoint-rule.ts'
import type { MutationName } from './mutations.ts'
import type { RunSettings } from './run-settings.ts'
import { pickWeighted } from './weighted.ts'

/** How a worker is started. */
export interface WorkerPlan {
  readonly mode: SequencerMode
  readonly rule: FailpointRule | null
  /** Changes of the product that it runs with. */
  readonly mutations: readonly MutationName[]
  /** Whether what it commits waits for a synchronous standby, as what is appended does. */
  readonly waitsForStandby: boolean
}

/** Draws how the next worker is started. */
export function drawWorkerPlan(random: Random, settings: RunSettings): WorkerPlan {
  const { modes, failpoints, mutations, impatient, intruders } = settings
  const isIntruder = random.chance(intruders)
  return {
    mode: pickWeighted(random, modes),
    rule: drawRule(random, failpoints),
    mutations: isIntruder ? [...mutations, 'no-leader-lock'] : mutations,
    waitsForStandby: !random.chance(impatient),
  }
}

/** A worker that nothing befalls. */
export function quietWorkerPlan({ mutations }: RunSettings): WorkerPlan {
  return { mode: 'auto', rule: null, mutations, waitsForStandby: true }
}

/** How often a failpoint is passed before something happens, at most. */
const mostReaches: Readonly<Record<Failpoint, number>> = {
  'commit-received': 30,
  'ledger-sent': 20,
  'ledger-written': 20,
  'slot-created': 2,
  'chunk-applied': 20,
  'event-parked': 1,
  'parked-retried': 1,
  'version-switched': 1,
  'views-switched': 1,
  'indexes-made': 1,
  'version-ready': 1,
  'version-dropped': 1,
  'version-reset': 1,
  'inline-applied': 1,
  'inline-switched': 1,
  'partitions-asked': 1,
  'partitions-replaced': 1,
}

function drawRule(random: Random, weights: RunSettings['failpoints']): FailpointRule | null {
  const failpoint = pickWeighted(random, weights)
  const act = random.chance(0.7) ? 'kill' : random.between(100, 3_000)
  if (failpoint === 'none') return null
  return { failpoint, reach: random.between(1, mostReaches[failpoint]), act }
}
