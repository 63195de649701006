import pRetry from 'p-retry'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { isTransient } from '../db/sqlstate.ts'

export interface JobPoolOptions {
  readonly logger: Logger
  /** When aborted, an outcome that cannot be recorded at once is given up. */
  readonly signal: AbortSignal
  /** Hears of an outcome that was given up. */
  readonly onGivenUp: (error: Error) => void
}

/** The statements by which graphile-worker 0.18 records how a job ended. */
const outcomeNames = /^(complete|fail)_jobs?(_q)?\//

/**
 * A pool as graphile-worker is to see it. It does not wait for the answer when it records how a job
 * ended, so that a lost connection there would be an unhandled rejection, which ends the process.
 * Here such a statement never fails: it is repeated until it has reached the database, which changes
 * nothing when it already had. (Its batches do wait, but may never end once one has failed.)
 */
export class JobPool {
  /** To be given to graphile-worker. */
  readonly pool: pg.Pool
  readonly #pool: pg.Pool
  readonly #options: JobPoolOptions
  readonly #recording = new Set<Promise<unknown>>()

  constructor(pool: pg.Pool, options: JobPoolOptions) {
    this.#pool = pool
    this.#options = options
    this.pool = override(pool, { connect: (callback) => this.#connect(callback) })
  }

  /** Waits until the outcomes of all jobs are recorded, or given up. */
  async recorded(): Promise<void> {
    await Promise.all(this.#recording)
  }

  #connect(callback?: Parameters<pg.Pool['connect']>[0]): Promise<pg.PoolClient> | undefined {
    if (callback === undefined) return this.#pool.connect().then((client) => this.#wrap(client))
    // Its listener releases a connection that was lost twice when it is stopped just then, which throws.
    this.#pool.connect((error, client, release) => callback(error, client, once(release)))
    return undefined
  }

  #wrap(client: pg.PoolClient): pg.PoolClient {
    const release = once((destroy?: boolean | Error) => client.release(destroy))
    const query = (...args: readonly unknown[]) => {
      const [config] = args
      if (!isOutcome(config)) return Reflect.apply(client.query, client, args)
      // A connection that was lost must be back before another one is asked for.
      const first = client.query(config).catch((error: Error) => {
        release(error)
        throw error
      })
      return this.#record(config, first)
    }
    return override(client, { query, release })
  }

  #record(config: pg.QueryConfig, first: Promise<unknown>): Promise<unknown> {
    const { signal, logger, onGivenUp } = this.#options
    const recording = pRetry((attempt) => (attempt === 1 ? first : this.#pool.query(config)), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 100,
      maxTimeout: 5_000,
      randomize: true,
      shouldRetry: ({ error }) => !signal.aborted && isTransient(error),
      onFailedAttempt: ({ error, attemptNumber }) =>
        logger.warn({ task: 'jobs', attempt: attemptNumber, err: error }, error.message),
    }).catch((error: Error) => {
      logger.error({ task: 'jobs', err: error }, `cannot record how a job ended: ${error.message}`)
      onGivenUp(error)
    })
    this.#recording.add(recording)
    void recording.finally(() => this.#recording.delete(recording))
    return recording
  }
}

function isOutcome(config: unknown): config is pg.QueryConfig {
  if (typeof config !== 'object' || config === null || !('name' in config)) return false
  return typeof config.name === 'string' && outcomeNames.test(config.name)
}

/** The same function, except that every call after the first does nothing. */
function once<A extends readonly unknown[]>(body: (...args: A) => void): (...args: A) => void {
  let isDone = false
  return (...args) => {
    if (isDone) return
    isDone = true
    body(...args)
  }
}

/** The same object with some methods of ours. */
function override<T extends object>(
  target: T,
  methods: { readonly [name: string]: (...args: never[]) => unknown },
): T {
  return new Proxy(target, {
    get(_, name) {
      if (typeof name === 'string' && Object.hasOwn(methods, name)) return methods[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
