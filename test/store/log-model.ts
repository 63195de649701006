import type pg from 'pg'
import type { LogFilter } from '../../src/store/log-filter.ts'

/** An event of a log as a test knows it. */
export interface ModelEvent {
  readonly position: bigint
  readonly streamId: string
  readonly version: bigint
  readonly id: string
  readonly type: string
  readonly metadata: { readonly correlationId?: string; readonly causationId?: string }
  readonly tags: readonly string[]
  readonly recordedAt: Date
}

/** Reads the whole log through its view, which knows nothing of indexes or pages. */
export async function readModel(client: pg.Pool | pg.ClientBase): Promise<ModelEvent[]> {
  const { rows } = await client.query('select * from tidemark.log order by position')
  return rows.map((row) => ({
    position: BigInt(row.position),
    streamId: row.stream_id,
    version: BigInt(row.version),
    id: row.event_id,
    type: row.type,
    metadata: row.metadata,
    tags: row.tags,
    recordedAt: row.recorded_at,
  }))
}

/** Says what a filter means, one condition after the other. */
export function matches(event: ModelEvent, filter: LogFilter): boolean {
  const { types, category, tags = [], correlationId, recordedFrom, recordedTo } = filter
  if (types !== undefined && !types.includes(event.type)) return false
  if (category !== undefined && !event.streamId.startsWith(`${category}-`)) return false
  if (!tags.every((tag) => event.tags.includes(tag))) return false
  if (correlationId !== undefined && event.metadata.correlationId !== correlationId) return false
  if (recordedFrom !== undefined && event.recordedAt < recordedFrom) return false
  return recordedTo === undefined || event.recordedAt < recordedTo
}
