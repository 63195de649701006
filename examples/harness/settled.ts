import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { LogStatus, Store } from '../../src/index.ts'

export interface SettledOptions {
  /** To count the jobs that wait or run. */
  readonly pool: pg.Pool
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Waits until everything that follows from what was appended has happened: all subscriptions are at the end of
 * the log, no process is under way, and no job waits.
 *
 * @returns what does not come to an end, a line each: a process that is stuck, a subscription that failed, a dead
 *   job, or what is still going on when the time is up.
 */
export async function untilSettled(
  store: Store,
  { pool, timeoutMs, signal }: SettledOptions,
): Promise<readonly string[]> {
  const deadline = performance.now() + timeoutMs
  let quietAt: bigint | undefined
  for (;;) {
    const status = await store.status()
    const failed = failures(status)
    if (failed.length > 0) return failed
    const pending = underWay(status)
    const jobs = await countJobs(pool)
    const isQuiet = pending.length === 0 && jobs === 0
    // Twice at one position: a job that ended between the two questions would have moved it.
    if (isQuiet && status.position === quietAt) return []
    quietAt = isQuiet ? status.position : undefined
    if (performance.now() > deadline) return [...pending, `${jobs} jobs wait`]
    await sleep(50, undefined, { signal })
  }
}

async function countJobs(pool: pg.Pool): Promise<number> {
  const text = 'select count(*)::integer as jobs from graphile_worker.jobs'
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
      .filter(({ lag }) => lag > 0n)
      .map(({ name, lag }) => `${name} is ${lag} behind`),
    ...processes.map(
      ({ name, running, compensating }) => `${running + compensating} of ${name} are under way`,
    ),
  ]
}
