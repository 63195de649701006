import type pg from 'pg'
import type { LogCommit, LogEvent } from './check-log.ts'

interface Row {
  readonly position: string
  readonly event_count: number
  readonly transaction: string
  readonly events: readonly (Omit<LogEvent, 'version'> & { readonly version: number })[]
}

/** Reads the next commits of the ledger, with their events, as one snapshot shows both. */
export async function readCommits(
  asks: Pick<pg.ClientBase, 'query'>,
  after: bigint,
  limit: number,
): Promise<readonly LogCommit[]> {
  const { rows } = await asks.query<Row>(
    /* sql */ `
    select
      c.position::text,
      c.event_count,
      c.incarnation || '.' || c.transaction_id as transaction,
      coalesce(
        (
          select json_agg(
            json_build_object(
              'id', e.event_id,
              'streamId', e.stream_id,
              'version', e.version,
              'type', e.type,
              'data', e.data,
              'seen', coalesce(e.metadata -> 'seen', '[]')
            )
            order by e.insert_id
          )
          from tidemark.events as e
          where e.incarnation = c.incarnation
            and e.transaction_id = c.transaction_id
        ),
        '[]'
      ) as events
    from tidemark.commits as c
    where c.position > $1
    order by c.position
    limit $2`,
    [after.toString(), limit],
  )
  return rows.map((row) => ({
    position: BigInt(row.position),
    eventCount: row.event_count,
    transaction: row.transaction,
    events: row.events.map((event) => ({ ...event, version: BigInt(event.version) })),
  }))
}
