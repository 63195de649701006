import type { RecordedEvent } from '../../core/recorded-event.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { type StoredRow, toRecordedEvent } from '../../store/stored-row.ts'

/** Events of one statement that this transaction has to apply to a version before it may commit. */
export interface InlineDebt {
  readonly name: string
  readonly version: number
  /** Event types that the version is registered with; null when it is not registered. */
  readonly types: readonly string[] | null
  /** Of the definition that made its tables; null when there is no such version. */
  readonly definitionHash: string | null
  readonly firstInsertId: bigint
  readonly lastInsertId: bigint
}

/** An event of this transaction, as it is stored. */
export interface AppendedEvent {
  readonly insertId: bigint
  readonly event: RecordedEvent
}

export interface InlineDebts {
  readonly debts: readonly InlineDebt[]
  /** In the order in which they will stand in the log. */
  readonly events: readonly AppendedEvent[]
}

interface DebtRow {
  readonly debt_of: string
  readonly debt_version: number
  readonly types: readonly string[] | null
  readonly definition_hash: string | null
  readonly first_insert_id: string
  readonly last_insert_id: string
}

type EventRow = StoredRow & { readonly debt_of: null; readonly insert_id: string }

/** Reads what this transaction has appended and has yet to apply to inline projections. */
export async function readInlineDebts(
  connection: Connection,
  { schema }: LogNames,
): Promise<InlineDebts> {
  const rows = await run<DebtRow | EventRow>(connection, {
    name: `tidemark-inline-debts-${schema}`,
    text: /* sql */ `
      select debt_of, debt_version, types, first_insert_id::text, last_insert_id::text,
        case when debt_of is not null then (
          select p.definition_hash
          from ${schema}.projections as p
          where p.name = d.debt_of and p.version = d.debt_version
        ) end as definition_hash,
        insert_id::text, null as position, stream_id, version::text, event_id, type,
        schema_version::integer, data, metadata, tags, recorded_at
      from ${schema}.read_inline_debts() as d`,
  })
  const debts = rows.filter((row) => row.debt_of !== null)
  const events = rows.filter((row) => row.debt_of === null)
  return {
    debts: debts.map((row) => ({
      name: row.debt_of,
      version: row.debt_version,
      types: row.types,
      definitionHash: row.definition_hash,
      firstInsertId: BigInt(row.first_insert_id),
      lastInsertId: BigInt(row.last_insert_id),
    })),
    events: events.map((row) => ({
      insertId: BigInt(row.insert_id),
      event: toRecordedEvent(row),
    })),
  }
}

/**
 * Notes that debts are paid, or will be by this transaction. Throws when one of them was paid before, or when
 * nothing was inserted in the turns that were taken for it.
 *
 * @param drawnBefore of {@link lockInlineKeys}; null when there was nothing to lock, as no row is written.
 */
export async function settleInlineDebts(
  connection: Connection,
  { schema }: LogNames,
  debts: readonly InlineDebt[],
  drawnBefore: string | null,
): Promise<void> {
  await run(connection, {
    name: `tidemark-settle-inline-${schema}`,
    text: `select ${schema}.settle_inline_debts($1, $2, $3)`,
    values: [
      debts.map(({ name }) => name),
      debts.map((debt) => `${debt.firstInsertId}`),
      drawnBefore,
    ],
  })
}

/**
 * Takes the turns of whoever writes the same rows inline, until the end of the transaction.
 *
 * @param keys what is written of the versions; null for all of it.
 * @returns the last insert id that was drawn before.
 */
export async function lockInlineKeys(
  connection: Connection,
  { schema }: LogNames,
  versions: readonly string[],
  keys: readonly string[] | null,
): Promise<string | null> {
  const [row] = await run<{ drawn_before: string | null }>(connection, {
    name: `tidemark-lock-inline-${schema}`,
    text: `select drawn_before::text from ${schema}.lock_inline_keys($1, $2)`,
    values: [versions, keys],
  })
  return row?.drawn_before ?? null
}
