import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { unsequencedEvents } from '../sequencer/unsequenced-events.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'

export interface PressureOptions {
  /** Names of the subscriptions whose lag counts. Default: all. */
  readonly subscriptions?: readonly string[]
}

/** How much waits. */
export interface Pressure {
  /** Appends of this store that share transactions and are queued or under way. */
  readonly pendingAppends: number
  /** Committed events that have no position yet, counted up to 10,001: over that, no worker sequences. */
  readonly unsequenced: number
  /** Positions that the subscription which is furthest behind has before it. */
  readonly lag: bigint
  /** Which one that is; null when none is behind. */
  readonly slowest: SubscriptionId | null
}

interface PressureRow extends SubscriptionId {
  readonly lag: string
  readonly unsequenced: number
}

/**
 * Tells how much waits. Of projections the live versions count, of the others all, unless they stand still or
 * are inline: what has failed is for `status` to tell, and slower writers would not help it.
 */
export async function readPressure(
  connection: Connection,
  { schema }: LogNames,
  pendingAppends: number,
  { subscriptions }: PressureOptions = {},
): Promise<Pressure> {
  const rows = await run<PressureRow | { readonly kind: null; readonly unsequenced: number }>(
    connection,
    {
      name: `tidemark-pressure-${schema}`,
      text: /* sql */ `
        select u.unsequenced, s.kind, s.name, s.version, s.lag::text
        from ${schema}.sequencer as q
        cross join lateral (
          select count(*)::integer as unsequenced
          from (${unsequencedEvents(schema)} limit 10001) as waiting
        ) as u
        left join lateral (
          select kind, name, version,
            case kind when 'relay' then q.outbox_position else q.position end - position as lag
          from ${schema}.subscriptions as one
          where state = 'active'
            and ($1::text[] is null or name = any ($1))
            and (
              kind <> 'projection'
              or exists (
                select
                from ${schema}.projections as p
                where p.name = one.name and p.version = one.version and p.state = 'live'
              )
            )
          order by lag desc
          limit 1
        ) as s on s.lag > 0`,
      values: [subscriptions ?? null],
    },
  )
  const [row] = rows
  const unsequenced = row?.unsequenced ?? 0
  if (row === undefined || row.kind === null)
    return { pendingAppends, unsequenced, lag: 0n, slowest: null }
  const { kind, name, version, lag } = row
  return { pendingAppends, unsequenced, lag: BigInt(lag), slowest: { kind, name, version } }
}
