import type pg from 'pg'
import { listNewChildProcesses, type ProcessInfo } from './child-processes.ts'
import { withClient } from './query-once.ts'
import { until } from './until.ts'

export interface LeakCheck {
  /** Connects to a database of the server other than the one that is checked. */
  readonly serverUrl: string
  readonly database: string
  /** Child processes that may stay. Without it, child processes are not looked at. */
  readonly childrenBefore?: readonly ProcessInfo[]
  /** How long sessions and processes that are ending may take. */
  readonly timeoutMs: number
}

/**
 * Checks that a test file has let go of its database: no session is connected to it, no
 * replication slot and no prepared transaction belongs to it, and no child process is left.
 *
 * @throws Error that lists what is left.
 */
export async function assertNothingLeaked(check: LeakCheck): Promise<void> {
  await withClient(check.serverUrl, (admin) =>
    until(
      `the test to let go of database "${check.database}"`,
      async (saw) => {
        const leaks = await findLeaks(admin, check)
        saw(leaks.map((leak) => `\n  ${leak}`).join(''))
        return leaks.length === 0
      },
      { timeoutMs: check.timeoutMs, intervalMs: 25 },
    ),
  )
}

async function findLeaks(admin: pg.Client, check: LeakCheck): Promise<string[]> {
  const { database, childrenBefore } = check
  return [
    ...(await findSessions(admin, database)),
    ...(await findSlots(admin, database)),
    ...(await findPreparedTransactions(admin, database)),
    ...(childrenBefore === undefined ? [] : await findChildren(childrenBefore)),
  ]
}

async function findSessions(admin: pg.Client, database: string): Promise<string[]> {
  const { rows } = await admin.query(
    /* sql */ `
      select pid, application_name, backend_type, state, query
      from pg_stat_activity
      where datname = $1
        and pid <> pg_backend_pid()
        and backend_type not in ('autovacuum worker', 'parallel worker')
      order by pid`,
    [database],
  )
  return rows.map(
    (row) =>
      `session ${row.pid} of "${row.application_name}" (${row.backend_type}, ${row.state}): ` +
      row.query,
  )
}

async function findSlots(admin: pg.Client, database: string): Promise<string[]> {
  const { rows } = await admin.query(
    /* sql */ `
      select slot_name, active_pid
      from pg_replication_slots
      where database = $1
      order by slot_name`,
    [database],
  )
  return rows.map(
    (row) => `replication slot "${row.slot_name}" (active for pid ${row.active_pid ?? 'none'})`,
  )
}

async function findPreparedTransactions(admin: pg.Client, database: string): Promise<string[]> {
  const { rows } = await admin.query(
    /* sql */ `select gid from pg_prepared_xacts where database = $1 order by gid`,
    [database],
  )
  return rows.map((row) => `prepared transaction "${row.gid}"`)
}

async function findChildren(before: readonly ProcessInfo[]): Promise<string[]> {
  const children = await listNewChildProcesses(before)
  return children.map(({ pid, command }) => `child process ${pid}: ${command}`)
}
