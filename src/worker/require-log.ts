import type pg from 'pg'
import { connectionFailed } from '../db/connect.ts'
import { readSequencer } from '../sequencer/sequencer-state.ts'

/**
 * Makes sure that a pool leads to a log, or ends it.
 *
 * @throws CONNECTION_FAILED, SCHEMA_NOT_INSTALLED
 */
export async function requireLog(
  pool: pg.Pool,
  schema: string,
  connectionString: string,
): Promise<void> {
  try {
    const client = await pool.connect().catch((error: unknown) => {
      throw connectionFailed(connectionString, error)
    })
    await readSequencer(client, schema).finally(() => client.release())
  } catch (error) {
    await pool.end()
    throw error
  }
}
