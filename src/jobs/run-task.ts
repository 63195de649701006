import type { Job as GraphileJob, JobHelpers } from 'graphile-worker'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import { once } from '../store/once.ts'
import { causingStore } from './causing-store.ts'
import { describeFailure } from './describe-failure.ts'
import { isSuperseded, markPermanent, postpone, refundAttempt } from './job-attempts.ts'
import { type OpenedPayload, openPayload } from './job-origin.ts'
import { isPending } from './ordered-jobs.ts'
import { passLane } from './pass-lane.ts'
import { isPermanent } from './permanent-error.ts'
import type { AnyTask } from './task.ts'
import { CircuitOpenError, type TaskBreaker } from './task-breaker.ts'
import type { TaskContext, TaskJob, TaskStore } from './task-context.ts'
import { withTimeLimit } from './with-time-limit.ts'

/** What tasks run with. */
export interface TaskSurroundings {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly jobSchema: string
  readonly logger: Logger
  readonly store: TaskStore
}

/**
 * Runs one attempt at a job as graphile-worker asks for it.
 *
 * @throws Error for graphile-worker, which keeps its message as the job's last error: the failure with its
 *   stack.
 */
export async function runTask(
  task: AnyTask,
  surroundings: TaskSurroundings,
  stored: unknown,
  helpers: JobHelpers,
  breaker?: TaskBreaker,
): Promise<void> {
  const { pool, names } = surroundings
  const opened = openPayload(stored)
  const { lane, key = '' } = opened.origin ?? {}
  // It was done, and the process died before graphile-worker knew: the next of its lane may run already.
  if (lane !== undefined && !(await isPending(pool, names, lane, key))) return
  const { abortSignal: stopping = new AbortController().signal } = helpers
  const attempt = () =>
    withTimeLimit(task.timeoutMs, stopping, (signal) =>
      task.run(opened.payload, contextOf(task, surroundings, opened, helpers, signal)),
    )
  try {
    await (breaker === undefined ? attempt() : breaker.run(attempt))
  } catch (error) {
    if (await isForgiven(task, surroundings, opened, helpers, stopping, error)) return
    throw lastError(error)
  }
  if (lane !== undefined) await passLane(pool, surroundings, lane, key)
}

/** Settles what a failure means for the job. @returns whether it counts as done. */
async function isForgiven(
  task: AnyTask,
  { pool, jobSchema, logger }: TaskSurroundings,
  { origin }: OpenedPayload,
  { job }: JobHelpers,
  stopping: AbortSignal,
  error: unknown,
): Promise<boolean> {
  const fields = { task: task.task, job: job.id, err: error }
  if (origin?.coalesces === true && (await isSuperseded(pool, jobSchema, job))) {
    logger.info(fields, `a job of task "${task.task}" failed that a newer one has replaced`)
    return true
  }
  if (error instanceof CircuitOpenError) await postpone(pool, jobSchema, job, error.until)
  else if (isPermanent(error)) await markPermanent(pool, jobSchema, job)
  else if (stopping.aborted) await refundAttempt(pool, jobSchema, job)
  return false
}

/** Graphile-worker keeps the message alone, and would write the stack to the log once more. */
function lastError(error: unknown): Error {
  const failure = new Error(describeFailure(error), { cause: error })
  failure.stack = ''
  return failure
}

function contextOf(
  task: AnyTask,
  { pool, names, store, logger }: TaskSurroundings,
  opened: OpenedPayload,
  { job }: JobHelpers,
  signal: AbortSignal,
): TaskContext {
  const { origin } = opened
  const about = toTaskJob(task, opened, job)
  return {
    store: causingStore(store, origin),
    signal,
    job: about,
    correlationId: origin?.correlationId ?? null,
    causationId: origin?.causationId ?? null,
    logger,
    once: (key, fn) =>
      once(pool, `task:${task.task}:${about.idempotencyKey}`, key, fn, { schema: names.schema }),
  }
}

function toTaskJob(task: AnyTask, { origin, cron }: OpenedPayload, job: GraphileJob): TaskJob {
  return {
    id: job.id,
    task: task.task,
    attempt: job.attempts,
    maxAttempts: job.max_attempts,
    isLastAttempt: job.attempts >= job.max_attempts,
    idempotencyKey: origin?.key ?? foreignKey(job),
    event: origin?.event ?? null,
    reactor: origin?.reactor ?? null,
    cron,
    createdAt: new Date(job.created_at),
    runAt: new Date(job.run_at),
  }
}

/** Of a job that others enqueued: a later one in its place is another, and so is one of a queue made anew. */
function foreignKey({ id, revision, created_at }: GraphileJob): string {
  return `job:${id}:${revision}:${new Date(created_at).getTime()}`
}
