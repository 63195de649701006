import { pause } from '../../../src/db/wait.ts'
import { changeSubscription } from './change-subscription.ts'
import type { Fault } from './fault-context.ts'

/** Changes of how projections are applied, and of what reacts, while everything runs. */
export const subscriptionFaults = {
  /** Appends apply a projection from now on, or workers do again. */
  'inline switched': async (context) => {
    const { random, server, calm } = context
    const { rows } = await server.pool.query<{ is_inline: boolean }>(
      'select exists (select from tidemark.inline_projections) as is_inline',
    )
    const isInline = rows[0]?.is_inline === true
    if (isInline && random.chance(0.6)) return false
    const change = isInline ? 'async' : 'inline'
    // It waits for all transactions that append, and gives up while some of them stay open for seconds.
    using _calm = random.chance(0.8) ? calm.begin() : undefined
    return changeSubscription(context, { change, projection: 'prompt' })
  },

  'partitions changed': async (context) => {
    const { random, server } = context
    const { rows } = await server.pool.query<{ projection: string; version: number }>(
      'select name as projection, version from tidemark.projections order by name, version',
    )
    const projections = ['divided', 'divided', 'patient', 'steps', 'totals', 'prompt']
    const name = random.pick(projections)
    const versions = rows.filter(({ projection }) => projection === name)
    if (versions.length === 0) return false
    const partitions = random.between(1, 5)
    return changeSubscription(context, {
      change: 'repartition',
      ...random.pick(versions),
      partitions,
    })
  },

  /** By the code that cannot apply them, or by that which can. */
  'parked retried': (context) => {
    const hasDefect = context.random.chance(0.2)
    return changeSubscription(context, { change: 'retry', projection: 'patient', hasDefect })
  },

  /** From now on new workers have a reactor more. One of those that run makes place for one of them. */
  'reactor added': async ({ reactors, workers, random, server, signal }) => {
    const added = await reactors.add(random, server.pool)
    if (added === undefined) return false
    const place = workers.choose(random, false)
    if (place !== undefined) workers.ask(place)
    const hasBegun = () => reactors.hasBegun(added, server.pool).catch(() => false)
    while (!(await hasBegun()) && (await pause(200, signal)));
    return true
  },
} as const satisfies Record<string, Fault>
