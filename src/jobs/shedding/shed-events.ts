import type pg from 'pg'
import type { Logger } from '../../core/logger.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** What a reactor has passed over and nobody has replayed. */
export interface ShedEvents {
  readonly reactor: string
  readonly events: number
  /** Position of the first of them, and of the last. */
  readonly first: bigint
  readonly last: bigint
  /** When the first of them was passed over, and the last. */
  readonly since: Date
  readonly until: Date
}

interface ShedRow {
  readonly reactor: string
  readonly events: string
  readonly first: string
  readonly last: string
  readonly since: Date
  readonly until: Date
}

/** Records events that a reactor passes over, in the transaction that moves its checkpoint behind them. */
export async function recordShed(
  client: pg.ClientBase,
  names: LogNames,
  reactor: string,
  events: readonly SequencedEvent[],
  behind: bigint,
): Promise<void> {
  await client.query({
    name: `tidemark-record-shed-${names.schema}`,
    text: /* sql */ `
      insert into ${names.schema}.shed_events (reactor, positions, behind)
      values ($1, $2, $3)`,
    values: [reactor, events.map(({ position }) => `${position}`), `${behind}`],
  })
}

/** Lists what reactors have passed over, of all or of one, by name. */
export async function listShed(
  connection: Connection,
  names: LogNames,
  reactor: string | null = null,
): Promise<readonly ShedEvents[]> {
  const rows = await run<ShedRow>(connection, {
    text: /* sql */ `
      select
        reactor,
        sum(events)::text as events,
        min(positions[1])::text as first,
        max(positions[events])::text as last,
        min(shed_at) as since,
        max(shed_at) as until
      from ${names.schema}.shed_events
      where $1::text is null or reactor = $1
      group by reactor
      order by reactor`,
    values: [reactor],
  })
  return rows.map(({ events, first, last, ...rest }) => {
    return { ...rest, events: Number(events), first: BigInt(first), last: BigInt(last) }
  })
}

/**
 * Gives up all events that a reactor has passed over until now: they will never be replayed. They stay in the
 * log.
 *
 * @returns how many they were.
 * @throws SHED_EVENTS_UNKNOWN when there are none.
 */
export async function discardShed(
  connection: Connection,
  names: LogNames,
  reactor: string,
  logger: Logger,
): Promise<number> {
  const rows = await run<{ events: number }>(connection, {
    text: /* sql */ `delete from ${names.schema}.shed_events where reactor = $1 returning events`,
    values: [reactor],
  })
  if (rows.length === 0) throw shedUnknown(reactor)
  const discarded = rows.reduce((sum, { events }) => sum + events, 0)
  logger.warn({ reactor, events: discarded }, `shed events of reactor "${reactor}" are given up`)
  return discarded
}

/** Says that a reactor has passed over nothing. */
export function shedUnknown(reactor: string): TidemarkError {
  return new TidemarkError(
    'SHED_EVENTS_UNKNOWN',
    `reactor "${reactor}" has shed no events: \`tidemark shed list\` shows what has`,
    { details: { reactor } },
  )
}
