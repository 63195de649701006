import { createHash } from 'node:crypto'
import type { JsonObject } from '../core/json.ts'
import type { Job } from './job.ts'
import { type JobOrigin, sealPayload } from './job-origin.ts'

/** A job, and where it comes from. */
export interface RequestedJob {
  readonly job: Job
  readonly origin: JobOrigin
  /** What it is counted from when it is to be delayed. */
  readonly requestedAt: Date
  /** What keeps its order when that is the stream's. */
  readonly streamId: string
}

/** A job as graphile-worker's `add_jobs` takes it. */
export interface JobSpec {
  readonly identifier: string
  readonly payload: JsonObject
  readonly run_at?: string
  readonly max_attempts?: number
  readonly queue_name?: string
  readonly priority?: number
  readonly job_key?: string
}

/** Writes a job as graphile-worker takes it. */
export function toSpec({ job, origin, requestedAt }: RequestedJob): JobSpec {
  const { task, payload, options } = job
  const { maxAttempts, queueName, priority } = options
  const runAt = runAtOf(job, requestedAt)
  const jobKey = jobKeyOf(job, origin)
  const whole = jobKey === undefined ? origin : { ...origin, coalesces: true as const }
  return {
    identifier: task,
    payload: sealPayload(payload, whole),
    ...(runAt === undefined ? {} : { run_at: runAt.toISOString() }),
    ...(maxAttempts === undefined ? {} : { max_attempts: maxAttempts }),
    ...(queueName === undefined ? {} : { queue_name: queueName }),
    ...(priority === undefined ? {} : { priority }),
    ...(jobKey === undefined ? {} : { job_key: jobKey }),
  }
}

/** Whether a job that takes the place of another has the time of that one. */
export function keepsRunAt({ options: { coalesce } }: Job): boolean {
  return typeof coalesce !== 'object' || coalesce.runAt !== 'last'
}

/**
 * Names the lane in which a job keeps its order; undefined when it has none. Of one reactor alone: two that
 * shared a lane would have an order that depends on which is faster.
 */
export function laneOf({ job, origin, streamId }: RequestedJob): string | undefined {
  const { order } = job.options
  if (order === undefined) return undefined
  const key = order === 'stream' ? streamId : order.key
  return `${origin.reactor ?? ''}:${order === 'stream' ? 'stream' : 'key'}:${key}`
}

function runAtOf({ options: { runAt, delayMs } }: Job, requestedAt: Date): Date | undefined {
  if (delayMs !== undefined) return new Date(requestedAt.getTime() + delayMs)
  return runAt
}

/** Graphile-worker takes 512 characters at most. A key of one reactor has one process that writes it. */
function jobKeyOf({ task, options }: Job, { reactor }: JobOrigin): string | undefined {
  const { coalesce } = options
  if (coalesce === undefined) return undefined
  const key = typeof coalesce === 'string' ? coalesce : coalesce.key
  const name = `tidemark:${reactor ?? ''}:${task}:${key}`
  return name.length <= 512 ? name : `tidemark:${createHash('sha256').update(name).digest('hex')}`
}
