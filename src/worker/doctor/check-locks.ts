import type pg from 'pg'
import { ask } from '../../sequencer/integrity/ask.ts'
import { type DoctorFinding, type Examination, fine, warning } from './diagnosis.ts'

interface Row {
  readonly pid: number
  readonly seconds: number
  /** What the lock is on; null unless it is on a table or the like. */
  readonly target: string | null
  readonly blocker: number
  readonly owner: string | null
  readonly label: string | null
}

/** A chunk waits ten seconds at most, and then rests: what is seen waiting has gone on for longer. */
const leastSeconds = 1

/** Looks for workers that wait for a lock, as of somebody who alters the tables of a projection. */
export async function checkLocks({ pool }: Examination): Promise<DoctorFinding[]> {
  const rows = await ask(pool, readWaiting)
  if (rows.length === 0) return [fine('locks', 'no worker waits for a lock')]
  return rows.map(explain)
}

async function readWaiting(client: pg.ClientBase): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>(
    /* sql */ `
    select
      a.pid,
      extract(epoch from clock_timestamp() - a.query_start)::float8 as seconds,
      (
        select w.relation::regclass::text
        from pg_locks as w
        where w.pid = a.pid and not w.granted and w.relation is not null
        limit 1
      ) as target,
      blocking.pid as blocker,
      b.usename::text as owner,
      b.application_name as label
    from pg_stat_activity as a
    cross join lateral unnest(pg_blocking_pids(a.pid)) as blocking (pid)
    left join pg_stat_activity as b on b.pid = blocking.pid
    where a.datname = current_database()
      and a.application_name = 'tidemark worker'
      and a.wait_event_type = 'Lock'
      and a.query_start < clock_timestamp() - $1 * interval '1 second'
    order by seconds desc
    limit 10`,
    [leastSeconds],
  )
  return rows
}

function explain({ pid, seconds, target, blocker, owner, label }: Row): DoctorFinding {
  const lock = target === null ? 'a lock' : `a lock on ${target}`
  const holder = `process ${blocker} (user "${owner ?? '?'}", application "${label ?? '?'}")`
  return warning(
    'locks',
    `a worker (process ${pid}) has waited ${Math.round(seconds)} s for ${lock}, held by ${holder}`,
    `the worker tries again until it gets it; wait, or run: select pg_terminate_backend(${blocker})`,
  )
}
