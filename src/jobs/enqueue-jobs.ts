import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { type JobSpec, keepsRunAt, type RequestedJob, toSpec } from './job-spec.ts'
import { takeLanes } from './ordered-jobs.ts'

/** Where jobs go. */
export interface JobTarget {
  readonly names: LogNames
  /** Schema of graphile-worker. */
  readonly jobSchema: string
}

/**
 * Enqueues jobs, in the caller's transaction: those that keep an order in their lanes, of which
 * graphile-worker gets the first; those that coalesce in the place of the ones that wait; all others as
 * they are.
 */
export async function enqueueJobs(
  client: pg.ClientBase,
  target: JobTarget,
  requested: readonly RequestedJob[],
): Promise<void> {
  const plain: JobSpec[] = []
  const first = new Map<string, JobSpec>()
  const last = new Map<string, JobSpec>()
  const ordered: RequestedJob[] = []
  for (const one of requested) {
    const { order, coalesce } = one.job.options
    if (order !== undefined) ordered.push(one)
    else if (coalesce === undefined) plain.push(toSpec(one))
    else coalesceInto(keepsRunAt(one.job) ? first : last, toSpec(one), keepsRunAt(one.job))
  }
  const heads = await takeLanes(client, target, ordered)
  await addJobs(client, target, [...plain, ...heads])
  await replaceJobs(client, target, [...first.values()], true)
  await replaceJobs(client, target, [...last.values()], false)
}

/** Two of one key in one call are an error of the server. */
function coalesceInto(jobs: Map<string, JobSpec>, spec: JobSpec, keepRunAt: boolean): void {
  const key = spec.job_key ?? ''
  const before = jobs.get(key)
  // In the order of their last events.
  jobs.delete(key)
  if (before === undefined || !keepRunAt) {
    jobs.set(key, spec)
    return
  }
  const { run_at: _later, ...rest } = spec
  jobs.set(key, before.run_at === undefined ? rest : { ...rest, run_at: before.run_at })
}

/**
 * Enqueues jobs in the place of those with their keys. These are locked first: one that a worker took
 * between two statements of `add_jobs` would be neither replaced nor followed by another. What gave up is
 * superseded, and goes.
 */
async function replaceJobs(
  client: pg.ClientBase,
  target: JobTarget,
  specs: readonly JobSpec[],
  keepRunAt: boolean,
): Promise<void> {
  if (specs.length === 0) return
  const schema = quoteIdent(target.jobSchema)
  const keys = specs.map((spec) => spec.job_key)
  await client.query(
    /* sql */ `
    with held as materialized (
      select id, attempts >= max_attempts and locked_at is null as is_dead
      from ${schema}._private_jobs
      where key = any ($1::text[])
      order by key
      for update
    )
    delete from ${schema}._private_jobs
    where id in (select id from held where is_dead)`,
    [keys],
  )
  await addJobs(client, target, specs, keepRunAt)
}

/**
 * One call for all jobs: it notifies once, and notifying commits take turns across the cluster.
 *
 * @throws when graphile-worker has taken fewer than it was given.
 */
export async function addJobs(
  client: pg.ClientBase,
  { jobSchema }: JobTarget,
  specs: readonly JobSpec[],
  keepRunAt = false,
): Promise<void> {
  if (specs.length === 0) return
  const schema = quoteIdent(jobSchema)
  const { rows } = await client.query<{ count: number }>(
    /* sql */ `
    select count(*)::integer as count
    from ${schema}.add_jobs(
      array(select json_populate_recordset(null::${schema}.job_spec, $1::json)),
      $2
    )`,
    [JSON.stringify(specs), keepRunAt],
  )
  const count = rows[0]?.count ?? 0
  if (count === specs.length) return
  throw new Error(`graphile-worker took ${count} of ${specs.length} jobs`)
}
