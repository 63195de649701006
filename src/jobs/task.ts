import type { StandardSchemaV1 } from '@standard-schema/spec'
import { validateData } from '../core/validate-data.ts'
import { checkJobOptions } from './check-job-options.ts'
import type { Job, JobOptions } from './job.ts'
import { type BreakerOptions, requireBreaker } from './task-breaker.ts'
import type { TaskContext } from './task-context.ts'

/** How a kind of job is run. */
export interface TaskDefinition<S extends StandardSchemaV1> {
  /** Schema of what a job is about, checked when it is made and when it runs. */
  readonly payload: S
  /**
   * How long an attempt may take. Then the context's `signal` is aborted, and the attempt has failed: at the
   * latest ten seconds later, even if the handler goes on. Default: as long as it takes.
   */
  readonly timeoutMs?: number
  /**
   * When each worker leaves its jobs alone for a while, because the service that they need is out of order. They
   * are put off then, which counts as no attempt. Default: never.
   */
  readonly breaker?: BreakerOptions
  /** Does it. When it throws, it is tried again later; see `PermanentError`. */
  readonly run: (payload: StandardSchemaV1.InferOutput<S>, context: TaskContext) => Promise<unknown>
}

/** A kind of job. Call it to make one; a worker runs it. */
export interface Task<Payload = unknown> extends AnyTask {
  /** @throws EVENT_DATA_INVALID when the schema refuses the payload, OPTION_INVALID. */
  (payload: Payload, options?: JobOptions): Job
}

/** Any task, whatever its payload. */
export interface AnyTask {
  readonly task: string
  readonly timeoutMs: number | null
  readonly breaker: BreakerOptions | null
  /** Checks a payload. @throws EVENT_DATA_INVALID */
  readonly check: (payload: unknown) => unknown
  /** @throws EVENT_DATA_INVALID when the schema refuses the payload; what the handler throws. */
  readonly run: (payload: unknown, context: TaskContext) => Promise<unknown>
}

/**
 * Defines a task. A job runs at least once: when its handler throws or its process dies, it runs
 * again. It is enqueued exactly once for each event that a reactor turned into it. What must not happen
 * twice goes through the context's `once`.
 *
 * @throws DEFINITION_INVALID for a breaker that cannot be.
 * @example
 * const sendReceipt = task('send-receipt', {
 *   payload: z.object({ orderId: z.uuid() }),
 *   run: async ({ orderId }, { once }) => {
 *     await once('receipt', async (tx) => {
 *       await tx.query('insert into receipts (order_id) values ($1)', [orderId])
 *     })
 *   },
 * })
 */
export function task<S extends StandardSchemaV1>(
  name: string,
  definition: TaskDefinition<S>,
): Task<StandardSchemaV1.InferInput<S>> {
  requireBreaker(name, definition.breaker)
  const check = (payload: unknown) => validateData(name, 1, definition.payload, payload)
  const make = (payload: unknown, options: JobOptions = {}): Job => {
    check(payload)
    checkJobOptions(options)
    return { task: name, payload, options }
  }
  return Object.assign(make, {
    task: name,
    timeoutMs: definition.timeoutMs ?? null,
    breaker: definition.breaker ?? null,
    check,
    run: async (payload: unknown, context: TaskContext) =>
      definition.run(check(payload) as StandardSchemaV1.InferOutput<S>, context),
  })
}
