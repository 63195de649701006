import type pg from 'pg'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { createStore, type Reactor, type Store, silentLogger } from '../../src/index.ts'
import { defaultJobSchema, installJobs, type RunJobsOptions } from '../../src/jobs/run-jobs.ts'
import type { AnyTask } from '../../src/jobs/task.ts'
import { headPosition, sequence, timeoutMs } from '../projections/fixtures.ts'
import type { Background } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { runReactor, runTasks } from './run-jobs.ts'

/** A database with a queue, which is empty at the beginning of each test. */
export function useJobs() {
  const database = useDatabase()
  let opened: { pool: pg.Pool; store: Store } | undefined
  beforeAll(async () => {
    const { connectionString } = database
    const pool = createPool({ connectionString, max: 10 })
    opened = { pool, store: await createStore({ connectionString, maxConnections: 4 }) }
    await installJobs(pool, defaultJobSchema, silentLogger)
  })
  beforeEach(async () => {
    await parts().pool.query(/* sql */ `
      delete from ${defaultJobSchema}._private_jobs;
      delete from tidemark.ordered_jobs;
      delete from tidemark.job_lanes`)
  })
  afterAll(async () => {
    await opened?.store.close()
    await opened?.pool.end()
  })
  const parts = () => {
    if (opened === undefined) throw new Error('the queue exists only inside tests')
    return opened
  }
  const surroundings = () => ({
    pool: parts().pool,
    connectionString: database.connectionString,
  })

  return {
    get pool() {
      return parts().pool
    },
    get store() {
      return parts().store
    },
    get connectionString() {
      return database.connectionString
    },
    react: (definition: Reactor, batchSize?: number): Background =>
      runReactor(surroundings(), definition, batchSize),
    work: (tasks: readonly AnyTask[], options?: Partial<RunJobsOptions>): Background =>
      runTasks(surroundings(), tasks, options),
    /** Gives positions to all that was appended. */
    sequence: () => sequence(parts().pool),
    untilReacted: ({ name }: Reactor) => untilReacted(parts().pool, name),
    /** Has jobs that failed run again at once, until a condition holds. */
    hurryUntil: (what: string, holds: () => boolean | Promise<boolean>) =>
      hurryUntil(parts().pool, what, holds),
    jobs: () => jobsOf(parts().pool),
  }
}

async function untilReacted(pool: pg.Pool, name: string): Promise<void> {
  const head = await headPosition(pool)
  await until(
    `reactor "${name}" to reach position ${head}`,
    async (saw) => {
      const { rows } = await pool.query(
        "select position::text, state, error from tidemark.subscriptions where kind = 'reactor' and name = $1",
        [name],
      )
      saw(rows)
      return BigInt(rows[0]?.position ?? -1) >= head
    },
    { timeoutMs },
  )
}

async function hurryUntil(
  pool: pg.Pool,
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  await until(
    what,
    async (saw) => {
      await pool.query(/* sql */ `
        update ${defaultJobSchema}._private_jobs set run_at = now()
        where run_at > now() and locked_at is null and attempts between 1 and max_attempts - 1`)
      await pool.query(`select pg_notify('jobs:insert', '{"r":0,"count":2}')`)
      saw(await jobsOf(pool))
      return holds()
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  )
}

export interface QueuedJob {
  readonly id: string
  readonly task: string
  readonly payload: Record<string, unknown>
  readonly attempts: number
  readonly error: string | null
  readonly runAt: Date
  readonly locked: boolean
}

async function jobsOf(pool: pg.Pool): Promise<readonly QueuedJob[]> {
  const { rows } = await pool.query<QueuedJob>(/* sql */ `
    select j.id::text, t.identifier as task, j.payload::jsonb - '_tidemark' as payload,
      j.attempts::integer, j.last_error as error, j.run_at as "runAt", j.locked_at is not null as locked
    from ${defaultJobSchema}._private_jobs as j
    join ${defaultJobSchema}._private_tasks as t on t.id = j.task_id
    order by j.id`)
  return rows
}
