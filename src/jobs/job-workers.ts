import { once } from 'node:events'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { heldLocks } from '../db/held-locks.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { advisoryLockKey, type LogNames } from '../db/log-names.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { transaction } from '../db/transaction.ts'
import { pause } from '../db/wait.ts'
import type { LogSession } from '../subscriptions/log-session.ts'
import { originField } from './job-origin.ts'

export interface JobWorkersOptions {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly jobSchema: string
  readonly logger: Logger
  /** Holds the locks by which others see that this process lives. */
  readonly session: LogSession
  /** This process, for people. */
  readonly owner: string
  /** How long a worker may be gone before others run what it has left. */
  readonly takeoverMs: number
}

/**
 * Shows to others that a runner of jobs lives, until aborted, and calls `shown` once they can see it. Should the
 * session be lost it is shown again by the next one.
 */
export async function showRunner(
  id: string,
  options: JobWorkersOptions,
  shown: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, jobSchema, logger, session, owner } = options
  const key = advisoryLockKey(names.schema, `job worker:${id}`)
  const show = async (healthy: () => void) => {
    const lease = await session.hold(key, signal)
    if (lease === undefined) return
    try {
      await pool.query(
        /* sql */ `
        insert into ${names.schema}.job_workers (id, schema_name, lock_key, owner)
        values ($1, $2, $3, $4)
        on conflict (id) do update set missed_at = null`,
        [id, jobSchema, key.toString(), owner],
      )
      healthy()
      shown()
      const ended = AbortSignal.any([signal, lease.lost])
      if (!ended.aborted) await once(ended, 'abort')
    } finally {
      await lease.release()
    }
  }
  await keepTrying(show, { task: 'jobs', signal, logger })
}

/** Takes a runner off the list that has left nothing behind. */
export async function forgetRunner(id: string, { pool, names }: JobWorkersOptions): Promise<void> {
  await pool.query(`delete from ${names.schema}.job_workers where id = $1`, [id])
}

/**
 * Looks from time to time for workers that died, until aborted, and has their jobs run again. Graphile-worker
 * alone does that after four hours.
 */
export async function takeOverJobs(options: JobWorkersOptions, signal: AbortSignal): Promise<void> {
  const everyMs = Math.min(5_000, options.takeoverMs / 2)
  const look = async (healthy: () => void) => {
    do {
      for (const id of await missRunners(options)) await takeOver(id, options)
      healthy()
    } while (await pause(everyMs * (0.5 + Math.random()), signal))
  }
  await keepTrying(look, { task: 'jobs of others', signal, logger: options.logger })
}

/** Notes who is missing. @returns those that are missing for long. */
async function missRunners(options: JobWorkersOptions): Promise<readonly string[]> {
  const { pool, names, jobSchema, takeoverMs } = options
  const { rows } = await pool.query<{ id: string; dead: boolean }>(
    /* sql */ `
    with gone as (
      select w.id, w.missed_at
      from ${names.schema}.job_workers as w
      where w.schema_name = $1
        and not exists (select from (${heldLocks}) as held where held.key = w.lock_key)
    ),
    missed as (
      update ${names.schema}.job_workers as w
      set missed_at = clock_timestamp()
      from gone
      where w.id = gone.id and w.missed_at is null
    )
    select id
    from gone
    where missed_at < clock_timestamp() - $2 * interval '1 millisecond'`,
    [jobSchema, takeoverMs],
  )
  return rows.map(({ id }) => id)
}

async function takeOver(id: string, options: JobWorkersOptions): Promise<void> {
  const { pool, names, jobSchema, logger } = options
  const schema = quoteIdent(jobSchema)
  const owner = await transaction(pool, async (client) => {
    const { rows } = await client.query<{ owner: string }>(
      /* sql */ `
      delete from ${names.schema}.job_workers as w
      where w.id = $1
        and w.missed_at is not null
        and not exists (select from (${heldLocks}) as held where held.key = w.lock_key)
      returning owner`,
      [id],
    )
    if (rows[0] === undefined) return undefined
    // A newer one has taken the place of these: see `isSuperseded`.
    await client.query(
      /* sql */ `
      delete from ${schema}._private_jobs
      where locked_by = $1
        and key is null
        and payload -> '${originField}' ->> 'coalesces' = 'true'`,
      [id],
    )
    await client.query(
      /* sql */ `
      update ${schema}._private_jobs
      set last_error = format('its worker died in attempt %s', attempts)
      where locked_by = $1`,
      [id],
    )
    await client.query(`select ${schema}.force_unlock_workers(array[$1])`, [id])
    await client.query(wakeWorkers)
    return rows[0].owner
  })
  if (owner === undefined) return
  logger.warn({ worker: id, owner }, `worker "${owner}" is gone: others run the jobs that it had`)
}

/** Has graphile-worker look for jobs at once. */
export const wakeWorkers = /* sql */ `
  select pg_notify('jobs:insert', json_build_object('r', random(), 'count', 1)::text)`
