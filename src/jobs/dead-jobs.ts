import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { type Connection, run } from '../db/queryable.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { transaction } from '../db/transaction.ts'
import type { JobTarget } from './enqueue-jobs.ts'
import { type JobEvent, openPayload } from './job-origin.ts'
import { wakeWorkers } from './job-workers.ts'
import { passLane } from './pass-lane.ts'

/** A dead letter among jobs: it failed at its last attempt, and runs no more by itself. */
export interface DeadJob {
  readonly kind: 'job'
  /** Of graphile-worker. */
  readonly id: string
  readonly task: string
  readonly payload: unknown
  /** Of the last attempt, with its stack; null when it is not known. */
  readonly error: string | null
  readonly attempts: number
  readonly createdAt: Date
  /** The event that asked for it. Null for a job that something else enqueued. */
  readonly event: JobEvent | null
  /** The reactor that turned the event into it. */
  readonly reactor: string | null
  readonly idempotencyKey: string | null
  readonly correlationId: string | null
  /** The lane that it keeps its order in; null when it has none. */
  readonly lane: string | null
  /** Jobs of that lane that wait behind it. */
  readonly waiting: number
}

/** Which dead jobs are meant. What is left out is any. */
export interface DeadJobFilter {
  readonly id?: string
  readonly task?: string
}

interface Row {
  readonly id: string
  readonly task: string
  readonly payload: unknown
  readonly error: string | null
  readonly attempts: number
  readonly created_at: Date
  readonly waiting: number
}

const isDead = 'j.attempts >= j.max_attempts and j.locked_at is null'

/** Lists dead jobs, the oldest first; none where there is no queue, or it is not ours to see. */
export async function listDeadJobs(
  connection: Connection,
  { names, jobSchema }: JobTarget,
  { id, task }: DeadJobFilter = {},
): Promise<readonly DeadJob[]> {
  if (!(await hasQueue(connection, jobSchema))) return []
  const schema = quoteIdent(jobSchema)
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select j.id::text, t.identifier as task, j.payload, j.last_error as error,
        j.attempts::integer, j.created_at,
        (
          select greatest(count(*)::integer - 1, 0)
          from ${names.schema}.ordered_jobs as o
          where o.lane = j.payload -> '_tidemark' ->> 'lane'
        ) as waiting
      from ${schema}._private_jobs as j
      join ${schema}._private_tasks as t on t.id = j.task_id
      where ${isDead}
        and ($1::bigint is null or j.id = $1)
        and ($2::text is null or t.identifier = $2)
      order by j.id`,
    values: [id ?? null, task ?? null],
  })
  return rows.map(toDeadJob)
}

/** Counts dead jobs; null where there is no queue, or it is not ours to see. */
export async function countDeadJobs(
  connection: Connection,
  jobSchema: string,
): Promise<number | null> {
  if (!(await hasQueue(connection, jobSchema))) return null
  const rows = await run<{ count: number }>(connection, {
    text: /* sql */ `
      select count(*)::integer as count
      from ${quoteIdent(jobSchema)}._private_jobs as j
      where ${isDead}`,
  })
  return rows[0]?.count ?? 0
}

/**
 * Has dead jobs run again, with all their attempts. They keep their idempotency keys, so that what they have
 * done once is not done again.
 *
 * @returns the ids of the jobs.
 * @throws JOB_UNKNOWN when an id was named and no such job is dead.
 */
export async function retryDeadJobs(
  pool: pg.Pool,
  target: JobTarget,
  filter: DeadJobFilter = {},
): Promise<readonly string[]> {
  const jobs = await requireDead(pool, target, filter)
  const schema = quoteIdent(target.jobSchema)
  const ids = jobs.map(({ id }) => id)
  if (ids.length === 0) return []
  const { rows } = await pool.query<{ id: string }>(
    /* sql */ `
    update ${schema}._private_jobs as j
    set attempts = 0, run_at = now(), updated_at = now()
    where id = any ($1::bigint[]) and ${isDead}
    returning id::text`,
    [ids],
  )
  await pool.query(wakeWorkers)
  return rows.map(({ id }) => id)
}

/**
 * Gives up dead jobs: they will never run. The next one of a lane that one of them held up runs then. Each is
 * written to the log as a warning.
 *
 * @returns the ids of the jobs.
 * @throws JOB_UNKNOWN when an id was named and no such job is dead.
 */
export async function discardDeadJobs(
  pool: pg.Pool,
  target: JobTarget,
  filter: DeadJobFilter,
  logger: Logger,
): Promise<readonly string[]> {
  const discarded: string[] = []
  for (const job of await requireDead(pool, target, filter)) {
    if (!(await discard(pool, target, job))) continue
    discarded.push(job.id)
    logger.warn({ task: job.task, job: job.id }, `job ${job.id} of task "${job.task}" is given up`)
  }
  return discarded
}

async function discard(
  pool: pg.Pool,
  target: JobTarget,
  { id, lane, idempotencyKey }: DeadJob,
): Promise<boolean> {
  let isGone = false
  const remove = async (client: pg.ClientBase) => {
    const { rowCount } = await client.query(
      /* sql */ `
      delete from ${quoteIdent(target.jobSchema)}._private_jobs as j where j.id = $1 and ${isDead}`,
      [id],
    )
    isGone = rowCount === 1
    // Somebody retried it just now.
    if (!isGone) throw new NotDead()
  }
  const removing =
    lane === null || idempotencyKey === null
      ? transaction(pool, remove)
      : passLane(pool, target, lane, idempotencyKey, remove)
  await removing.catch((error: unknown) => {
    if (!(error instanceof NotDead)) throw error
  })
  return isGone
}

class NotDead extends Error {}

async function requireDead(
  connection: Connection,
  target: JobTarget,
  filter: DeadJobFilter,
): Promise<readonly DeadJob[]> {
  const jobs = await listDeadJobs(connection, target, filter)
  if (jobs.length === 0 && filter.id !== undefined) throw jobUnknown(filter.id)
  return jobs
}

/** Says that no such job is dead. */
export function jobUnknown(job: string): TidemarkError {
  return new TidemarkError(
    'JOB_UNKNOWN',
    `there is no dead job ${job}: \`tidemark parked list\` shows those that there are`,
    { details: { job } },
  )
}

async function hasQueue(connection: Connection, jobSchema: string): Promise<boolean> {
  const rows = await run(connection, {
    text: /* sql */ `
      select
      from pg_catalog.pg_class as c
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1
        and c.relname = '_private_jobs'
        and has_schema_privilege(n.oid, 'usage')
        and has_table_privilege(c.oid, 'select')`,
    values: [jobSchema],
  })
  return rows.length > 0
}

function toDeadJob(row: Row): DeadJob {
  const { id, task, error, attempts, waiting } = row
  const { payload, origin } = openPayload(row.payload)
  return {
    kind: 'job',
    id,
    task,
    payload,
    error,
    attempts,
    createdAt: row.created_at,
    event: origin?.event ?? null,
    reactor: origin?.reactor ?? null,
    idempotencyKey: origin?.key ?? null,
    correlationId: origin?.correlationId ?? null,
    lane: origin?.lane ?? null,
    waiting,
  }
}
