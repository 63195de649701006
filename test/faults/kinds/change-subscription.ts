import { join } from 'node:path'
import { drawRule } from '../draw-rule.ts'
import type { Change } from '../processes/change-subscription.ts'
import type { FaultContext } from './fault-context.ts'
import { runChild } from './run-child.ts'

const program = join(import.meta.dirname, '../processes/change-subscription.ts')

/**
 * Changes a subscription by a process of its own, which may die on the way.
 *
 * @returns whether anything happened.
 */
export async function changeSubscription(context: FaultContext, change: Change): Promise<boolean> {
  const { random, weights, changes } = context
  const rule = drawRule(random, weights, change.change)
  const does = `${change.change} ${change.projection}`
  const outcome = await runChild(context, {
    ...{ does, program },
    settings: { name: 'TIDEMARK_FAULTS_CHANGE', value: { ...change, rule } },
    onLine: (line) => {
      const [word, count] = line.split(' ')
      if (word === 'applied') changes.add('parked events applied', Number(count))
    },
  })
  changes.add(`${does} ${outcome}`)
  return outcome !== 'refused'
}
