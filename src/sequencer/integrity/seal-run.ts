import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import { logInconsistent } from '../../store/log-inconsistent.ts'

/** What sealing one run came to. */
export interface SealedRun {
  /** Events of the run; 0 when everything was sealed. */
  readonly sealed: number
  /** Position of the last seal. */
  readonly position: bigint
}

/**
 * Seals the next run of sequenced events, in a transaction of its own. Not waiting for the disk: a
 * seal that a crash undoes is written again, and the chain at a position is the same again.
 *
 * @param maxEvents events that the run covers at most.
 * @returns undefined when another process is sealing at this moment.
 * @throws LOG_INCONSISTENT when the table holds other events than the ledger promises: what is wrong
 *   is not sealed.
 */
export async function sealRun(
  pool: pg.Pool,
  names: LogNames,
  maxEvents: number,
): Promise<SealedRun | undefined> {
  try {
    return await transaction(pool, (client) => seal(client, names, maxEvents), { durable: false })
  } catch (error) {
    throw logInconsistent(error)
  }
}

async function seal(
  client: pg.ClientBase,
  names: LogNames,
  maxEvents: number,
): Promise<SealedRun | undefined> {
  const { rows } = await client.query<{ sealed: number | null; last_position: string | null }>({
    name: `tidemark-seal-${names.schema}`,
    text: `select sealed, last_position::text from ${names.schema}.seal_events($1)`,
    values: [maxEvents],
  })
  const row = rows[0]
  if (row?.sealed == null || row.last_position === null) return undefined
  return { sealed: row.sealed, position: BigInt(row.last_position) }
}
