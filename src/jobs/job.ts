/** What graphile-worker is asked to do. */
export interface Job {
  readonly task: string
  readonly payload: unknown
  readonly options: JobOptions
}

export interface JobOptions {
  /** Not before this time. */
  readonly runAt?: Date
  /** Not before so long after the event was recorded. Not together with `runAt`. */
  readonly delayMs?: number
  /** Attempts before the job is a dead letter. Default 25, graphile-worker's own: about three days. */
  readonly maxAttempts?: number
  /**
   * Jobs of one queue run one after the other, in no promised order. Few queues, please: each costs
   * at every look. For an order see `order`.
   */
  readonly queueName?: string
  /** Lower runs first. Default 0. */
  readonly priority?: number
  /**
   * Makes one job of many: as long as the one with this key has not begun, the next one of the same reactor
   * and task takes its place, with its own payload.
   */
  readonly coalesce?: string | CoalesceOptions
  /**
   * Keeps the order of the log: `'stream'` runs the jobs of this reactor for one stream one after the other,
   * any other text those for one key of yours. The next one waits until the one before has ended, however
   * often that is tried; behind a dead letter until somebody retries or discards it.
   */
  readonly order?: 'stream' | { readonly key: string }
}

export interface CoalesceOptions {
  readonly key: string
  /**
   * Which time the job has then: that of the `'first'` (default), so that it runs however many follow; or of
   * the `'last'`, so that it runs once none has come for its delay.
   */
  readonly runAt?: 'first' | 'last'
}
