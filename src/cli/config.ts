import type { Reactor } from '../jobs/reactor.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { AnyProjection } from '../projections/projection.ts'
import type { WorkerOptions } from '../worker/worker.ts'

/** What `tidemark.config.ts` exports: the database, and what a worker runs on it. */
export interface TidemarkConfig {
  /** Database. `--database-url` overrides it; without both, the variable `DATABASE_URL` is read. */
  readonly connectionString?: string | undefined
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string | undefined
  /** Schema of graphile-worker. Default `graphile_worker`; false when there are no jobs at all. */
  readonly jobSchema?: string | false | undefined
  /** Several versions of one projection may stand beside each other. */
  readonly projections?: readonly AnyProjection[] | undefined
  readonly reactors?: readonly Reactor[] | undefined
  readonly tasks?: readonly AnyTask[] | undefined
  /** How `tidemark worker` runs them. */
  readonly worker?: WorkerSettings | undefined
}

/** Options of {@link WorkerOptions} that a config file may set. */
export type WorkerSettings = Pick<
  WorkerOptions,
  | 'name'
  | 'batchSize'
  | 'maxAttempts'
  | 'pollIntervalMs'
  | 'maxConnections'
  | 'jobConcurrency'
  | 'mode'
  | 'seal'
  | 'sealIntervalMs'
>

/**
 * Gives the config its type. The command line checks it when it loads the file.
 *
 * @example
 * export default defineConfig({
 *   connectionString: process.env.DATABASE_URL,
 *   projections: [orders],
 * })
 */
export function defineConfig(config: TidemarkConfig): TidemarkConfig {
  return config
}
