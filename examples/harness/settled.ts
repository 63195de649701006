import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { LogStatus, Store } from '../../src/index.ts'

export interface SettledOptions {
  /** To count the jobs that wait or run. */
  readonly pool: pg.Pool
  /** How long the log may stand still before it is said what does not come to an end. */
  readonly stallMs: number
  readonly signal: AbortSignal
}

/**
 * Waits until everything that follows from what was appended has happened: all subscriptions are at the end of
 * the log, no process is under way, and no job waits. What gave up is not waited for.
 *
 * @returns what gave up, a line each: a process that is stuck, a subscription that failed, a dead job; or what
 *   is still going on when nothing has been appended for a while.
 */
export async function untilSettled(
  store: Store,
  { pool, stallMs, signal }: SettledOptions,
): Promise<readonly string[]> {
  let [reached, movedAt] = [-1n, performance.now()]
  let quietAt: bigint | undefined
  for (;;) {
    const status = await store.status()
    const pending = underWay(status)
    const jobs = await countJobs(pool)
    const isQuiet = pending.length === 0 && jobs === 0
    // Twice at one position: a job that ended between the two questions would have moved it.
    if (isQuiet && status.position === quietAt) return failures(status)
    quietAt = isQuiet ? status.position : undefined
    if (status.position !== reached) [reached, movedAt] = [status.position, performance.now()]
    if (performance.now() > movedAt + stallMs) {
      return [...failures(status), ...pending, `${jobs} jobs wait after ${stallMs} ms`]
    }
    await sleep(50, undefined, { signal })
  }
}

async function countJobs(pool: pg.Pool): Promise<number> {
  const text = /* sql */ `
    select count(*)::integer as jobs
    from graphile_worker.jobs
    where attempts < max_attempts or locked_at is not null`
  const { rows } = await pool.query<{ jobs: number }>(text)
  return rows[0]?.jobs ?? 0
}

function failures({ processes, subscriptions, deadJobs }: LogStatus): readonly string[] {
  return [
    ...processes
      .filter(({ stuck }) => stuck > 0)
      .map(({ stuck, name }) => `${stuck} instances of ${name} are stuck`),
    ...subscriptions
      .filter(({ state }) => state === 'failed')
      .map(({ name, error }) => `${name} has failed: ${error}`),
    ...((deadJobs ?? 0) > 0 ? [`${deadJobs} jobs gave up`] : []),
  ]
}

function underWay({ unsequenced, processes, subscriptions, outbox }: LogStatus): readonly string[] {
  return [
    ...(unsequenced > 0 ? [`${unsequenced} events have no position`] : []),
    ...(outbox.unsequenced > 0 ? [`${outbox.unsequenced} messages have no position`] : []),
    ...subscriptions
      .filter(({ lag, state }) => lag > 0n && state !== 'failed')
      .map(({ name, lag }) => `${name} is ${lag} behind`),
    ...processes
      .map((one) => ({ name: one.name, open: one.running + one.compensating }))
      .filter(({ open }) => open > 0)
      .map(({ name, open }) => `${open} of ${name} are under way`),
  ]
}
