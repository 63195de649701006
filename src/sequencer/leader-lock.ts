import type pg from 'pg'
import { advisoryLockKey } from '../db/log-names.ts'
import { pause } from '../db/wait.ts'

/**
 * Waits until this connection leads the log. The lock lives as long as the connection; the
 * generation in the sequencer's row is what keeps a leader that lost it from writing.
 *
 * @returns false when it was aborted first.
 */
export async function acquireLeaderLock(
  client: pg.ClientBase,
  schema: string,
  pollIntervalMs: number,
  onStandby: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const key = advisoryLockKey(schema, 'leader').toString()
  while (!signal.aborted) {
    const { rows } = await client.query<{ leads: boolean }>({
      name: 'tidemark-try-lead',
      text: 'select pg_try_advisory_lock($1) as leads',
      values: [key],
    })
    if (rows[0]?.leads === true) return true
    onStandby()
    // Jittered, so that standbys which began together do not ask together.
    if (!(await pause(pollIntervalMs * (0.5 + Math.random()), signal))) return false
  }
  return false
}
