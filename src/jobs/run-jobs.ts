import { once } from 'node:events'
import { type ParsedCronItem, runMigrations, type TaskList } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { LogNames } from '../db/log-names.ts'
import { pause } from '../db/wait.ts'
import { forgetOnce } from '../store/once.ts'
import type { LogSession } from '../subscriptions/log-session.ts'
import { graphileLogger } from './graphile-logger.ts'
import { type JobRunner, startJobRunner } from './job-runner.ts'
import { forgetRunner, showRunner, takeOverJobs } from './job-workers.ts'
import { runTask } from './run-task.ts'
import type { AnyTask } from './task.ts'
import { TaskBreaker } from './task-breaker.ts'
import type { TaskStore } from './task-context.ts'

/** Schema in which graphile-worker installs itself unless told otherwise. */
export const defaultJobSchema = 'graphile_worker'

export interface RunJobsOptions {
  readonly pool: pg.Pool
  readonly names: LogNames
  /** Schema of graphile-worker. */
  readonly jobSchema: string
  readonly logger: Logger
  /** What tasks get. */
  readonly store: TaskStore
  readonly session: LogSession
  /** This process, for people. */
  readonly owner: string
  readonly concurrency: number
  readonly cron?: readonly ParsedCronItem[]
  /** How long jobs may go on when the worker stops before their signals are aborted. */
  readonly graceMs: number
  /** How long a worker may be gone before others run the jobs that it has left. */
  readonly takeoverMs: number
  /** How long results of `once` are kept. */
  readonly keepOnceMs: number
}

/** Installs graphile-worker, or brings it to the release that is used here. */
export async function installJobs(pool: pg.Pool, jobSchema: string, logger: Logger): Promise<void> {
  await runMigrations({ pgPool: pool, schema: jobSchema, logger: graphileLogger(logger) })
}

/**
 * Runs jobs until aborted; then lets the ones at hand finish. When a connection is lost, a fresh
 * runner takes over at once, and what the broken one had locked is unlocked once its jobs are over. What
 * a process had locked that died is unlocked by another one.
 *
 * @param options with a session that lasts until this has returned.
 */
export async function runJobs(
  tasks: readonly AnyTask[],
  options: RunJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    runRunners(tasks, options, signal),
    takeOverJobs(options, signal),
    forgetByAndBy(options, signal),
  ])
}

async function runRunners(
  tasks: readonly AnyTask[],
  options: RunJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  const taskList: TaskList = Object.fromEntries(
    tasks.map((task) => {
      const breaker = breakerOf(task, options.logger)
      return [task.task, (payload, helpers) => runTask(task, options, payload, helpers, breaker)]
    }),
  )
  const retiring = new Set<Promise<void>>()
  await keepTrying(
    async (healthy) => {
      const { runner, hide } = await startShown(taskList, options, signal)
      healthy()
      const reason = await unless(signal, runner.broken)
      if (reason === undefined) {
        await runner.drain()
        return hide()
      }
      const retired = retire(runner, options.logger, signal)
        .then(hide)
        .finally(() => retiring.delete(retired))
      retiring.add(retired)
      throw reason
    },
    { task: 'jobs', signal, logger: options.logger },
  )
  await Promise.all(retiring)
}

function breakerOf({ task, breaker }: AnyTask, logger: Logger): TaskBreaker | undefined {
  if (breaker === null) return undefined
  return new TaskBreaker(task, breaker, () => {
    const message = `task "${task}" fails and is left alone for ${breaker.restMs} ms`
    logger.warn({ task }, message)
  })
}

/** Others see it before it takes a job, so that they find what it leaves when it dies. */
async function startShown(
  taskList: TaskList,
  options: RunJobsOptions,
  signal: AbortSignal,
): Promise<{ readonly runner: JobRunner; readonly hide: () => Promise<void> }> {
  const over = new AbortController()
  let showing: Promise<void> | undefined
  const shown = Promise.withResolvers<void>()
  const started = async (id: string) => {
    showing ??= showRunner(id, options, shown.resolve, over.signal)
    await unless(signal, shown.promise)
  }
  const end = async () => {
    over.abort()
    await showing
  }
  try {
    const runner = await startJobRunner(taskList, { ...options, started }, signal)
    const hide = async () => {
      await end()
      await forgetRunner(runner.id, options).catch(() => {})
    }
    return { runner, hide }
  } catch (error) {
    await end()
    throw error
  }
}

/** Results are kept for days: an hour more is nothing. */
const forgetEveryMs = 3_600_000

async function forgetByAndBy(
  { pool, names, logger, keepOnceMs }: RunJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  const forget = async (healthy: () => void) => {
    do {
      await forgetOnce(pool, keepOnceMs, { schema: names.schema, signal })
      healthy()
    } while (await pause(forgetEveryMs * (0.5 + Math.random()), signal))
  }
  await keepTrying(forget, { task: 'results of once', signal, logger })
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
