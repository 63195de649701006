import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JobHelpers } from 'graphile-worker'
import { validateData } from '../core/validate-data.ts'

/** What graphile-worker is asked to do. */
export interface Job {
  readonly task: string
  readonly payload: unknown
  readonly options: JobOptions
}

export interface JobOptions {
  /** Not before this time. */
  readonly runAt?: Date
  /** Attempts before graphile-worker gives up. Default 25, graphile-worker's own. */
  readonly maxAttempts?: number
  /**
   * Jobs of one queue run one after the other, in no promised order. Few queues, please: each costs
   * at every look.
   */
  readonly queueName?: string
  /** Lower runs first. Default 0. */
  readonly priority?: number
}

/** A kind of job. Call it to make one; a worker runs it. */
export interface Task<Payload = unknown> {
  /** @throws EVENT_DATA_INVALID when the schema refuses the payload. */
  (payload: Payload, options?: JobOptions): Job
  readonly task: string
  readonly run: (payload: unknown, helpers: JobHelpers) => Promise<void>
}

/** Any task, whatever its payload. */
export interface AnyTask {
  readonly task: string
  readonly run: (payload: unknown, helpers: JobHelpers) => Promise<void>
}

/**
 * Defines a task. A job runs at least once: when its handler throws or its process dies, it runs
 * again. It is enqueued exactly once for each event that a reactor turned into it.
 *
 * @param payload schema of what the job is about, checked when it is made and when it runs.
 */
export function task<S extends StandardSchemaV1>(
  name: string,
  definition: {
    readonly payload: S
    readonly run: (payload: StandardSchemaV1.InferOutput<S>, helpers: JobHelpers) => Promise<void>
  },
): Task<StandardSchemaV1.InferInput<S>> {
  const check = (payload: unknown) => validateData(name, 1, definition.payload, payload)
  const make = (payload: unknown, options: JobOptions = {}): Job => {
    check(payload)
    return { task: name, payload, options }
  }
  return Object.assign(make, {
    task: name,
    run: async (payload: unknown, helpers: JobHelpers) =>
      definition.run(check(payload) as StandardSchemaV1.InferOutput<S>, helpers),
  })
}
