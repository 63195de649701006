import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import type { Random } from '../support/random.ts'
import type { Extent } from './definitions/projections.ts'
import { drawRule } from './draw-rule.ts'
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
  readonly projections: Extent
  /** Whether its code cannot apply some events. */
  readonly hasDefect: boolean
}

/** Draws how the next worker is started. */
export function drawWorkerPlan(random: Random, settings: RunSettings): WorkerPlan {
  const { modes, failpoints, mutations, impatient, intruders, projections, defective } = settings
  const isIntruder = random.chance(intruders)
  return {
    mode: pickWeighted(random, modes),
    rule: drawRule(random, failpoints, 'work'),
    mutations: isIntruder ? [...mutations, 'no-leader-lock'] : mutations,
    waitsForStandby: !random.chance(impatient),
    projections,
    hasDefect: random.chance(defective),
  }
}

/** A worker that nothing befalls. */
export function quietWorkerPlan({ mutations, projections }: RunSettings): WorkerPlan {
  const quiet = { mode: 'auto', rule: null, waitsForStandby: true, hasDefect: false } as const
  return { ...quiet, mutations, projections }
}
