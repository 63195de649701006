import { Logger as GraphileLogger, run, runMigrations } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { AnyTask } from './task.ts'

export interface RunJobsOptions {
  readonly pool: pg.Pool
  /** Schema of graphile-worker. */
  readonly jobSchema: string
  readonly concurrency: number
  readonly logger: Logger
}

/** Schema in which graphile-worker installs itself unless told otherwise. */
export const defaultJobSchema = 'graphile_worker'

/** Installs graphile-worker, or brings it to the release that is used here. */
export async function installJobs(pool: pg.Pool, jobSchema: string, logger: Logger): Promise<void> {
  await runMigrations({ pgPool: pool, schema: jobSchema, logger: adapt(logger) })
}

/** Runs jobs until aborted; then lets the ones at hand finish. */
export async function runJobs(
  tasks: readonly AnyTask[],
  options: RunJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { pool, jobSchema, concurrency, logger } = options
  await keepTrying(
    async (healthy) => {
      const runner = await run({
        pgPool: pool,
        schema: jobSchema,
        concurrency,
        noHandleSignals: true,
        taskList: Object.fromEntries(tasks.map((task) => [task.task, task.run])),
        parsedCronItems: [],
        logger: adapt(logger),
      })
      healthy()
      const stop = () => void runner.stop().catch(() => {})
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      try {
        await runner.promise
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    { task: 'jobs', signal, logger },
  )
}

function adapt(logger: Logger): GraphileLogger {
  return new GraphileLogger((scope) => (level, message, meta) => {
    const fields = { ...scope, ...meta }
    if (level === 'error') logger.error(fields, message)
    else if (level === 'warning') logger.warn(fields, message)
    else logger.debug(fields, message)
  })
}
