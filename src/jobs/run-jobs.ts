import { once } from 'node:events'
import { runMigrations } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { graphileLogger } from './graphile-logger.ts'
import { type JobRunner, type JobRunnerOptions, startJobRunner } from './job-runner.ts'
import type { AnyTask } from './task.ts'

/** Schema in which graphile-worker installs itself unless told otherwise. */
export const defaultJobSchema = 'graphile_worker'

/** Installs graphile-worker, or brings it to the release that is used here. */
export async function installJobs(pool: pg.Pool, jobSchema: string, logger: Logger): Promise<void> {
  await runMigrations({ pgPool: pool, schema: jobSchema, logger: graphileLogger(logger) })
}

/**
 * Runs jobs until aborted; then lets the ones at hand finish. When a connection is lost, a fresh
 * runner takes over at once, and what the broken one had locked is unlocked once its jobs are over.
 */
export async function runJobs(
  tasks: readonly AnyTask[],
  options: JobRunnerOptions,
  signal: AbortSignal,
): Promise<void> {
  const taskList = Object.fromEntries(tasks.map((task) => [task.task, task.run]))
  const retiring = new Set<Promise<void>>()
  await keepTrying(
    async (healthy) => {
      const runner = await startJobRunner(taskList, options, signal)
      healthy()
      const reason = await unless(signal, runner.broken)
      if (reason === undefined) return runner.drain()
      const retired = retire(runner, options.logger, signal).finally(() => retiring.delete(retired))
      retiring.add(retired)
      throw reason
    },
    { task: 'jobs', signal, logger: options.logger },
  )
  await Promise.all(retiring)
}

/** Waits for a promise; undefined when aborted first. */
async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  const over = new AbortController()
  if (signal.aborted) return undefined
  const aborted = once(signal, 'abort', { signal: over.signal }).catch(() => {})
  try {
    return await Promise.race([promise, aborted.then(() => undefined)])
  } finally {
    over.abort()
  }
}

async function retire(runner: JobRunner, logger: Logger, signal: AbortSignal): Promise<void> {
  await runner.drain()
  const unlocked = new AbortController()
  const unlock = () => runner.unlock().then(() => unlocked.abort())
  await unlock().catch(() =>
    keepTrying(unlock, {
      task: 'unlocking jobs',
      signal: AbortSignal.any([signal, unlocked.signal]),
      logger,
    }),
  )
}
