import type pg from 'pg'
import { processIdOf } from './client-internals.ts'

/** Limits that a role or a database may have, and that are not meant for a session which lives on. */
const limits = [
  'statement_timeout',
  'lock_timeout',
  'transaction_timeout',
  'idle_session_timeout',
  'idle_in_transaction_session_timeout',
]

/**
 * Lifts the server's time limits for a session that lives on: its statements may wait for a standby or
 * read a whole table, and between them it may rest. Not behind a pooler, where the session is somebody
 * else's next.
 *
 * @param silenceMs After how much silence the server is to end the session, and with it its locks: it
 *   would not notice for hours that a process was stopped or cut off. Default: never.
 */
export async function liftTimeLimits(client: pg.ClientBase, silenceMs = 0): Promise<void> {
  await client.query(
    /* sql */ `
    select set_config(name, case name when 'idle_session_timeout' then $1 else '0' end, false)
    from pg_settings
    where name = any ($2)
      and pg_backend_pid() = $3`,
    [`${silenceMs}ms`, limits, processIdOf(client)],
  )
}
