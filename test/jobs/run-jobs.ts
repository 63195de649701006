import type pg from 'pg'
import { createStore, type Reactor, silentLogger } from '../../src/index.ts'
import { defaultJobSchema, type RunJobsOptions, runJobs } from '../../src/jobs/run-jobs.ts'
import type { AnyTask } from '../../src/jobs/task.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { followReactor } from '../../src/worker/follow-reactor.ts'
import { names } from '../projections/fixtures.ts'
import { type Background, inBackground } from '../sequencer/background.ts'

export interface JobsOfTest {
  readonly pool: pg.Pool
  readonly connectionString: string
}

/** Runs tasks until stopped, as a worker would. */
export function runTasks(
  { pool, connectionString }: JobsOfTest,
  tasks: readonly AnyTask[],
  options: Partial<RunJobsOptions> = {},
): Background {
  const logger = silentLogger
  return inBackground(async (signal) => {
    const session = new LogSession({ connectionString, names, logger, pollIntervalMs: 100 })
    const sessionEnd = new AbortController()
    const holding = session.run(sessionEnd.signal)
    await using store = await createStore({ connectionString, maxConnections: 2 })
    const rest = { concurrency: 2, owner: 'test', graceMs: 100, takeoverMs: 60_000, logger }
    const surroundings = { pool, names, jobSchema: defaultJobSchema, store, session }
    try {
      await runJobs(tasks, { ...surroundings, ...rest, keepOnceMs: 3_600_000, ...options }, signal)
    } finally {
      sessionEnd.abort()
      await holding
    }
  })
}

/** Runs a reactor until stopped. */
export function runReactor(
  { pool, connectionString }: JobsOfTest,
  definition: Reactor,
  batchSize = 100,
): Background {
  const logger = silentLogger
  const session = new LogSession({ connectionString, names, logger, pollIntervalMs: 200 })
  const context = { pool, names, session, logger, owner: 'test', batchSize, maxAttempts: 2 }
  return inBackground(async (signal) => {
    const following = followReactor(definition, context, defaultJobSchema, signal)
    await Promise.all([session.run(signal), following])
  })
}
