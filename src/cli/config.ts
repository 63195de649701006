import type { ParsedCronItem } from 'graphile-worker'
import type { AnyEventDefinition } from '../core/event.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import type { Reactor } from '../jobs/reactor.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { Relay } from '../outbox/relay.ts'
import type { Route } from '../outbox/route.ts'
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
  readonly processes?: readonly AnyProcess[] | undefined
  readonly tasks?: readonly AnyTask[] | undefined
  readonly routes?: readonly Route[] | undefined
  readonly relays?: readonly Relay[] | undefined
  /** Jobs by the clock, as `cron` makes them. */
  readonly cron?: readonly ParsedCronItem[] | undefined
  /** Event types that tasks read, besides those of projections and reactors. */
  readonly events?: readonly AnyEventDefinition[] | undefined
  /** Projections that what tasks append is applied to inline. */
  readonly inline?: readonly AnyProjection[] | undefined
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
  | 'jobGraceMs'
  | 'jobTakeoverMs'
  | 'keepOnceMs'
  | 'mode'
  | 'seal'
  | 'sealIntervalMs'
  | 'outboxRetentionMs'
  | 'outboxTrimIntervalMs'
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
