import { EventEmitter, once } from 'node:events'
import { type ParsedCronItem, run, type TaskList, type WorkerEvents } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { graphileLogger } from './graphile-logger.ts'
import { JobPool } from './job-pool.ts'

export interface JobRunnerOptions {
  readonly pool: pg.Pool
  /** Schema of graphile-worker. */
  readonly jobSchema: string
  readonly concurrency: number
  readonly logger: Logger
  readonly cron?: readonly ParsedCronItem[]
  /** How long jobs may go on when the worker stops before their signals are aborted. */
  readonly graceMs: number
  /** Called with the runner's id before it takes its first job, which waits for it. */
  readonly started?: (id: string) => Promise<void>
}

/** One run of graphile-worker's pool, which locks its jobs under an id of its own. */
export interface JobRunner {
  readonly id: string
  /** Resolves once it may have locked jobs that it does not know of, with the reason. */
  readonly broken: Promise<Error>
  /** Takes no more jobs, and waits for those at hand. Never throws. */
  drain(): Promise<void>
  /** Lets others run what it left locked. Only after it has been drained. */
  unlock(): Promise<void>
}

/**
 * Starts graphile-worker. When a connection is lost while it takes a job, graphile-worker 0.18 goes
 * on, with the job locked by itself until four hours have passed: hence `broken`.
 *
 * @param signal that jobs are to stop: it ends no job, only the attempts to record how one ended.
 */
export async function startJobRunner(
  taskList: TaskList,
  options: JobRunnerOptions,
  signal: AbortSignal,
): Promise<JobRunner> {
  const { pool, jobSchema, concurrency, logger, cron = [], graceMs } = options
  const { started = async () => {} } = options
  const events: WorkerEvents = new EventEmitter()
  const broken = Promise.withResolvers<Error>()
  events.once('worker:getJob:error', ({ error }) => broken.resolve(toError(error)))
  const created = once(events, 'pool:create')
  const jobPool = new JobPool(pool, { logger, signal, onGivenUp: broken.resolve })
  const runner = await run({
    pgPool: jobPool.pool,
    noHandleSignals: true,
    taskList,
    parsedCronItems: [...cron],
    logger: graphileLogger(logger),
    events,
    schema: jobSchema,
    concurrency,
    gracefulShutdownAbortTimeout: graceMs,
    preset: { plugins: [startPlugin(started)] },
  })
  const [{ workerPool }] = (await created) as [{ workerPool: { id: string } }]
  return {
    id: workerPool.id,
    broken: broken.promise,
    drain: async () => {
      await runner.stop().catch(() => {})
      await runner.promise.catch(() => {})
      await jobPool.recorded()
    },
    unlock: async () => {
      const unlock = `select ${quoteIdent(jobSchema)}.force_unlock_workers($1)`
      await pool.query(unlock, [[workerPool.id]])
    },
  }
}

function startPlugin(started: (id: string) => Promise<void>): GraphileConfig.Plugin {
  return {
    name: 'TidemarkStartPlugin',
    version: '1.0.0',
    worker: { hooks: { startWorker: (_context, { worker }) => started(worker.workerPool.id) } },
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
