import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { logInconsistent } from '../store/log-inconsistent.ts'
import { type StoredRow, toRecordedEvent } from '../store/stored-row.ts'

/** Where to read on. */
export interface LogCursor {
  readonly position: bigint
  /** Within a commit that is read in parts: where the part before ended. A hint, never needed. */
  readonly insertId: string | null
}

/** A run of the log: its events of the wanted types, as they were stored, or null; and where it ends. */
export interface LogRun {
  readonly events: readonly SequencedEvent[] | null
  /** Everything up to here has been read. Equal to the start when there was nothing. */
  readonly end: LogCursor
}

/** A run whose events were fetched. */
export interface FetchedRun extends LogRun {
  readonly events: readonly SequencedEvent[]
}

export interface ReadRunOptions {
  readonly after: LogCursor
  /** Positions that the run covers at most, whatever their types. */
  readonly maxEvents: number
  /** Types to return; null for all. */
  readonly types: readonly string[] | null
}

interface Row extends StoredRow {
  readonly insert_id: string | null
}

/**
 * Reads the next run of the log by position. Live delivery, catch-up and rebuild are this one read,
 * in this one order.
 *
 * @throws LOG_INCONSISTENT when the table holds other events than the ledger promises.
 */
export async function readRun(
  connection: Connection,
  names: LogNames,
  options: ReadRunOptions,
): Promise<FetchedRun> {
  const { after, maxEvents, types } = options
  try {
    const rows = await run<Row>(connection, {
      name: `tidemark-read-log-${names.schema}`,
      text: /* sql */ `
        select position::text, insert_id::text, stream_id, version::text, event_id, type,
          schema_version::integer, data, metadata, tags, recorded_at
        from ${names.schema}.read_log($1, $2, $3, $4)`,
      values: [after.position.toString(), maxEvents, types, after.insertId],
    })
    return toRun(rows, after)
  } catch (error) {
    throw logInconsistent(error)
  }
}

/**
 * Reads where the next run ends, and leaves its events in the server.
 *
 * @throws LOG_INCONSISTENT when the ledger does not give every position once.
 */
export async function readExtent(
  connection: Connection,
  names: LogNames,
  { after, maxEvents }: Pick<ReadRunOptions, 'after' | 'maxEvents'>,
): Promise<LogRun> {
  const [row] = await run<{ upto: string }>(connection, {
    name: `tidemark-read-extent-${names.schema}`,
    text: `select ${names.schema}.log_extent($1, $2)::text as upto`,
    values: [after.position.toString(), maxEvents],
  }).catch((error: unknown) => {
    throw logInconsistent(error)
  })
  const position = BigInt(row?.upto ?? after.position)
  return { events: null, end: { position, insertId: null } }
}

function toRun(rows: readonly Row[], after: LogCursor): FetchedRun {
  const last = rows.at(-1)
  if (last?.position == null) return { events: [], end: after }
  return {
    events: rows.slice(0, -1).map((row) => toRecordedEvent(row) as SequencedEvent),
    end: { position: BigInt(last.position), insertId: last.insert_id },
  }
}
