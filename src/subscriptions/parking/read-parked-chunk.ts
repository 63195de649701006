import type { SequencedEvent } from '../../core/recorded-event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { type StoredRow, toRecordedEvent } from '../../store/stored-row.ts'
import type { SubscriptionId } from '../subscription-id.ts'

export interface ParkedChunkOptions {
  readonly lane: string
  readonly key: string
  /** Events at most. */
  readonly batchSize: number
}

type Row = { readonly position: string } & { readonly [C in keyof StoredRow]: StoredRow[C] | null }

/**
 * Reads the first parked events of a key in order, as they were stored. They are found by stream and
 * version: a position within a large commit would have to be counted.
 *
 * @throws LOG_INCONSISTENT when one is not in the log, as after a restore.
 */
export async function readParkedChunk(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  { lane, key, batchSize }: ParkedChunkOptions,
): Promise<readonly SequencedEvent[]> {
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select p.position::text, e.stream_id, e.version::text, e.event_id, e.type,
        e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at
      from ${names.schema}.parked_events as p
      left join ${names.schema}.events as e
        on e.stream_id = p.stream_id
        and e.version = p.stream_version
        and e.event_id = p.event_id
      where p.kind = $1 and p.name = $2 and p.version = $3 and p.lane = $4 and p.key = $5
      order by p.position
      limit $6`,
    values: [id.kind, id.name, id.version, lane, key, batchSize],
  })
  return rows.map((row) => {
    if (row.stream_id === null) throw eventMissing(BigInt(row.position))
    return toRecordedEvent(row as StoredRow) as SequencedEvent
  })
}

function eventMissing(position: bigint): TidemarkError {
  const reason = 'the event that was parked is not in the log'
  return new TidemarkError('LOG_INCONSISTENT', `position ${position}: ${reason}`, {
    details: { position, reason },
  })
}
