import type { Failpoint } from '../../src/core/failpoint.ts'
import type { Random } from '../support/random.ts'
import type { FailpointRule } from './failpoint-rule.ts'
import type { ChangeName } from './processes/change-subscription.ts'
import { pickWeighted, type Weights } from './weighted.ts'

export type FailpointWeights = Weights<Failpoint | 'none'>

/** What a process of this suite does. */
export type Task = 'work' | 'append' | ChangeName

/** The failpoints that a process may come to. */
export const onTheWay: Readonly<Record<Task, readonly Failpoint[]>> = {
  work: [
    ...(['commit-received', 'ledger-sent', 'ledger-written'] as const),
    ...(['slot-created', 'slot-trusted'] as const),
    ...(['chunk-applied', 'event-parked', 'indexes-made', 'version-ready'] as const),
    ...(['partitions-asked', 'partitions-replaced', 'relay-confirmed'] as const),
  ],
  append: ['inline-owed', 'inline-applied'],
  rebuild: [
    ...(['chunk-applied', 'indexes-made', 'version-ready'] as const),
    ...(['partitions-asked', 'partitions-replaced'] as const),
  ],
  replay: ['version-reset', 'chunk-applied', 'indexes-made', 'version-ready'],
  promote: ['inline-guarded', 'version-switched', 'inline-switched', 'views-switched'],
  rollback: ['version-switched', 'inline-switched', 'views-switched'],
  drop: ['version-dropped'],
  remove: ['version-dropped'],
  inline: ['inline-guarded', 'inline-switched'],
  async: ['inline-switched'],
  repartition: ['partitions-asked', 'partitions-replaced'],
  retry: ['parked-retried'],
}

/** How often a failpoint is passed before something happens, at most. */
const mostReaches: Readonly<Record<Failpoint, number>> = {
  'commit-received': 30,
  'ledger-sent': 20,
  'ledger-written': 20,
  'slot-created': 2,
  'slot-trusted': 2,
  'chunk-applied': 40,
  'event-parked': 5,
  'parked-retried': 3,
  'version-switched': 1,
  'views-switched': 1,
  'indexes-made': 1,
  'version-ready': 1,
  'version-dropped': 1,
  'version-reset': 1,
  'inline-guarded': 1,
  'inline-owed': 20,
  'inline-applied': 20,
  'inline-switched': 1,
  'partitions-asked': 1,
  'partitions-replaced': 1,
  'process-acted': 1,
  'process-outcome-recorded': 1,
  'relay-confirmed': 20,
  'retried-confirmed': 1,
}

/** Draws what a process does to itself, of what is on its way. */
export function drawRule(
  random: Random,
  weights: FailpointWeights,
  task: Task,
): FailpointRule | null {
  const reached: readonly string[] = ['none', ...onTheWay[task]]
  const possible = Object.entries(weights).map(([name, weight]) => {
    return [name, reached.includes(name) ? weight : 0]
  })
  const failpoint = pickWeighted(random, Object.fromEntries(possible) as FailpointWeights)
  const act = random.chance(0.7) ? 'kill' : random.between(100, 3_000)
  if (failpoint === 'none') return null
  return { failpoint, reach: random.between(1, mostReaches[failpoint]), act }
}
