import { join } from 'node:path'
import { drawRule } from '../draw-rule.ts'
import type { AppenderSettings } from '../processes/appender.ts'
import { seedOf } from '../weighted.ts'
import type { Fate } from '../writers/journal.ts'
import type { Fault } from './fault-context.ts'
import { runChild } from './run-child.ts'

const program = join(import.meta.dirname, '../processes/appender.ts')

/** Ids that a process may use up. */
const idCount = 500

/** Faults of processes that append, beside the writers, who do not die. */
export const appendFaults = {
  /** One more process appends, and often dies when it has applied what is inline and not committed it. */
  'appender killed': async (context) => {
    const { random, weights, journal } = context
    const rule = drawRule(random, weights, 'append')
    const seed = seedOf(random)
    const value: AppenderSettings = { seed, rule, firstId: journal.reserve(idCount), idCount }
    const begun = new Map<string, readonly string[]>()
    const settle = (first: string, fate: Fate) => {
      journal.settle('appender', begun.get(first) ?? [], fate)
      begun.delete(first)
    }
    const outcome = await runChild(context, {
      ...{ does: 'append', program },
      settings: { name: 'TIDEMARK_FAULTS_APPENDER', value },
      onLine: (line) => {
        const [word, first = '', ...rest] = line.split(' ')
        if (word === 'begun') begun.set(first, [first, ...rest])
        if (word === 'ended') settle(first, rest[0] as Fate)
      },
    })
    for (const first of [...begun.keys()]) settle(first, 'unknown')
    return outcome !== 'refused'
  },
} as const satisfies Record<string, Fault>
