import type pg from 'pg'
import { advisoryLockKey } from '../db/log-names.ts'
import { processIdOf } from '../db/session/client-internals.ts'

export interface LeaderLockOptions {
  readonly schema: string
  /** After how much silence of a leader the server ends its session, and with it the lock. */
  readonly silenceMs: number
  /** Waits until it is worth trying again, or until aborted. */
  readonly rest: (signal: AbortSignal) => Promise<unknown>
  readonly onStandby: () => void
  readonly signal: AbortSignal
}

/**
 * Waits until this connection leads the log. The lock lives as long as the connection, which the server
 * ends when it hears nothing for `silenceMs`: a leader has to speak. The generation in the sequencer's
 * row is what keeps one that lost the lock from writing.
 *
 * @returns false when it was aborted first.
 */
export async function acquireLeaderLock(
  client: pg.ClientBase,
  options: LeaderLockOptions,
): Promise<boolean> {
  const { schema, silenceMs, rest, onStandby, signal } = options
  const key = leaderLockKey(schema)
  while (!signal.aborted) {
    const { rows } = await client.query<{ leads: boolean }>({
      name: 'tidemark-try-lead',
      // One statement, so that there is no lock without its limit. Behind a pooler there is none: the
      // session is somebody else's next.
      text: /* sql */ `
        select
          leads,
          case when leads and pg_backend_pid() = $2 then array[
            set_config('idle_session_timeout', $3, false),
            set_config('idle_in_transaction_session_timeout', $3, false)
          ] end
        from (select pg_try_advisory_lock($1) as leads offset 0) as l`,
      values: [key, processIdOf(client), `${silenceMs}ms`],
    })
    if (rows[0]?.leads === true) return true
    onStandby()
    await rest(signal)
  }
  return false
}

/** Gives the advisory lock that whoever leads a log holds. */
export function leaderLockKey(schema: string): string {
  return advisoryLockKey(schema, 'leader').toString()
}
