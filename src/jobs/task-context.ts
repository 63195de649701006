import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { ProjectionQuery, Queried } from '../projections/query/query.ts'
import type { QueryOptions } from '../projections/query/query-options.ts'
import type { DeciderStore } from '../store/decider-store.ts'
import type { EventStore } from '../store/event-store.ts'
import type { OnceResult } from '../store/once.ts'
import type { JobEvent } from './job-origin.ts'

/** What the handler of a task has at hand. */
export interface TaskContext {
  /**
   * The log. What is appended by it names the event that asked for the job as its cause, unless the append
   * says otherwise.
   */
  readonly store: TaskStore
  /** Aborted when the worker stops, after a grace, and when the attempt takes too long. */
  readonly signal: AbortSignal
  readonly job: TaskJob
  /** Of the event that asked for the job, or its id where it has none. Null for a job without one. */
  readonly correlationId: string | null
  /** Id of the event that asked for the job. */
  readonly causationId: string | null
  readonly logger: Logger

  /**
   * Does something once for this job, however often that runs: the function's writes by `tx` and its result
   * commit together, and a later attempt gets the result. What is done elsewhere may happen again: see
   * {@link TaskJob.idempotencyKey}.
   */
  once<T extends OnceResult>(key: string, fn: (tx: pg.PoolClient) => Promise<T>): Promise<T>
}

/** What a task may do with the log. */
export interface TaskStore extends EventStore, DeciderStore {
  /** Gives a Kysely over projections. See `Store.query`. */
  query<const Q extends Queried>(queried: Q, options?: QueryOptions): Promise<ProjectionQuery<Q>>
}

/** The job at hand. */
export interface TaskJob {
  /** Of graphile-worker. */
  readonly id: string
  readonly task: string
  /** From 1. A process that died counts. */
  readonly attempt: number
  readonly maxAttempts: number
  /** Whether the job is a dead letter when this attempt fails. */
  readonly isLastAttempt: boolean
  /**
   * Names this piece of work: the same at each attempt, also after it was dead and is retried. What to hand
   * to another service so that it, too, does it once.
   */
  readonly idempotencyKey: string
  /** The event that asked for it. Null for a job that something else enqueued. */
  readonly event: JobEvent | null
  /** The reactor that turned the event into it. */
  readonly reactor: string | null
  /** Of a job by the clock: when it was due, and whether that was missed and is made up for. */
  readonly cron: { readonly dueAt: Date; readonly isBackfilled: boolean } | null
  readonly createdAt: Date
  readonly runAt: Date
}
