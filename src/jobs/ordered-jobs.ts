import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { type JobSpec, laneOf, type RequestedJob, toSpec } from './job-spec.ts'

/**
 * Puts jobs behind those of their lanes, in the caller's transaction, and locks the lanes until its end.
 *
 * @returns the first job of each lane that had none: graphile-worker is to be given these.
 */
export async function takeLanes(
  client: pg.ClientBase,
  { names }: { readonly names: LogNames },
  requested: readonly RequestedJob[],
): Promise<readonly JobSpec[]> {
  if (requested.length === 0) return []
  const jobs = requested.map((one) => {
    const lane = laneOf(one) ?? ''
    return { lane, spec: toSpec({ ...one, origin: { ...one.origin, lane } }), key: one.origin.key }
  })
  const { rows } = await client.query<{ lane: string }>(
    /* sql */ `
    with taken as (
      insert into ${names.schema}.job_lanes as l (lane)
      select distinct n.lane collate "C" from unnest($1::text[]) as n (lane)
      order by 1
      on conflict (lane) do update set enqueued = l.enqueued + 1
      returning lane, enqueued = 0 as is_new
    ),
    added as (
      insert into ${names.schema}.ordered_jobs (lane, key, spec)
      select n.lane, n.key, n.spec::jsonb
      from unnest($1::text[], $2::text[], $3::text[]) with ordinality as n (lane, key, spec, ordinality)
      order by n.ordinality
    )
    select lane from taken where is_new`,
    [
      jobs.map(({ lane }) => lane),
      jobs.map(({ key }) => key),
      jobs.map(({ spec }) => JSON.stringify(spec)),
    ],
  )
  const idle = new Set(rows.map(({ lane }) => lane))
  return jobs.flatMap(({ lane, spec }) => (idle.delete(lane) ? [spec] : []))
}

/**
 * Whether an ordered job has not been ended yet. One that has may be delivered again, when the process died
 * before graphile-worker was told.
 */
export async function isPending(
  connection: pg.Pool | pg.ClientBase,
  { schema }: LogNames,
  lane: string,
  key: string,
): Promise<boolean> {
  const { rows } = await connection.query(
    /* sql */ `select from ${schema}.ordered_jobs where lane = $1 and key = $2`,
    [lane, key],
  )
  return rows.length > 0
}

/**
 * Ends an ordered job, in the caller's transaction, and locks its lane until the end of that.
 *
 * @returns the next one of its lane, which graphile-worker is to be given; null when there is none.
 */
export async function endOrderedJob(
  client: pg.ClientBase,
  { schema }: LogNames,
  lane: string,
  key: string,
): Promise<JobSpec | null> {
  const { rows } = await client.query<{ spec: JobSpec | null }>(
    /* sql */ `select ${schema}.end_ordered_job($1, $2) as spec`,
    [lane, key],
  )
  return rows[0]?.spec ?? null
}
