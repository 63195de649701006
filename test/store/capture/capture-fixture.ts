import type pg from 'pg'

/** An event as the table of events has it. */
export interface CapturedEvent {
  readonly streamId: string
  readonly version: number
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever a row is made of
  readonly data: any
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly metadata: any
}

/** Reads the events of a category in insert order. */
export async function readCategory(
  pool: pg.Pool | pg.ClientBase,
  category: string,
): Promise<readonly CapturedEvent[]> {
  const { rows } = await pool.query(
    /* sql */ `
    select stream_id, version::integer, type, data, metadata
    from tidemark.events
    where stream_id like $1
    order by insert_id`,
    [`${category}-%`],
  )
  return rows.map(({ stream_id: streamId, ...event }) => ({ streamId, ...event }))
}

/** What became of a row, in short: `order-1 2 order.changed`. */
export const brief = ({ streamId, version, type }: CapturedEvent) =>
  `${streamId} ${version} ${type}`

/** Folds events, given in the order of their streams at least, to the rows that there are then. */
export function foldRows(events: readonly CapturedEvent[]): ReadonlyMap<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const { streamId, type, data } of events) {
    if (type.endsWith('.deleted')) rows.delete(streamId)
    else rows.set(streamId, data.row)
  }
  return rows
}
