import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type pg from 'pg'
import { type Logger, silentLogger } from '../core/logger.ts'
import { connectionFailed, createPool } from '../db/connect.ts'
import { type LogNames, logNames } from '../db/log-names.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { defaultJobSchema, installJobs, runJobs } from '../jobs/run-jobs.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { runSealer } from '../sequencer/integrity/run-sealer.ts'
import type { SequencerMode } from '../sequencer/lead-term.ts'
import { runSequencer } from '../sequencer/sequencer.ts'
import { readSequencer } from '../sequencer/sequencer-state.ts'
import { LogSession } from '../subscriptions/log-session.ts'
import type { SubscriptionContext } from '../subscriptions/run-subscription.ts'
import { followProjection } from './follow-projection.ts'
import { followReactor } from './follow-reactor.ts'

export interface WorkerOptions {
  readonly connectionString: string
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  readonly projections?: readonly AnyProjection[]
  readonly reactors?: readonly Reactor[]
  readonly tasks?: readonly AnyTask[]
  /** Default: silent. */
  readonly logger?: Logger
  /** This process, for people who look at `status`. Default: host name and process id. */
  readonly name?: string
  /** Positions that one transaction of a subscription passes at most. Default 1,000. */
  readonly batchSize?: number
  /** Attempts at a chunk whose handler throws, before the subscription stops as failed. Default 5. */
  readonly maxAttempts?: number
  /** How often the head is looked up in case a notification was missed. Default 2,000. */
  readonly pollIntervalMs?: number
  /** Connections of the pool for subscriptions and jobs. Default 10. */
  readonly maxConnections?: number
  /** Jobs that run at once. Default 5. */
  readonly jobConcurrency?: number
  /** Schema of graphile-worker. Default `graphile_worker`. */
  readonly jobSchema?: string
  /**
   * Where the order of commits is taken from. Default `'auto'`: the WAL, by logical replication, and
   * where that cannot be had the table, by polling: as exact, but some tens of milliseconds later.
   */
  readonly mode?: SequencerMode
  /** Whether to continue the hash chain over the log, behind the head. Default true. */
  readonly seal?: boolean
  /** How often to look for events to seal. Default 10,000. */
  readonly sealIntervalMs?: number
}

const defaults = {
  batchSize: 1_000,
  maxAttempts: 5,
  pollIntervalMs: 2_000,
  maxConnections: 10,
  jobConcurrency: 5,
  sealIntervalMs: 10_000,
}

/**
 * Runs everything that a log needs, until aborted: takes part in sequencing, applies projections,
 * turns events into jobs and runs them. Any number of workers run at once; they share the work.
 *
 * When aborted it finishes the chunks and jobs at hand, closes its connections and returns. It
 * outlives a restart of the server. Killed at any moment, it has lost and repeated nothing.
 *
 * @throws CONNECTION_FAILED, SCHEMA_NOT_INSTALLED, PROJECTION_DRIFTED, SCHEMA_FOREIGN at the start.
 */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const names = logNames(options.schema)
  const pool = createPool({
    connectionString: options.connectionString,
    applicationName: 'tidemark worker',
    max: options.maxConnections ?? defaults.maxConnections,
  })
  try {
    await requireLog(pool, names, options.connectionString)
    await runParts(options, pool, names, signal)
  } finally {
    await pool.end()
  }
}

async function requireLog(pool: pg.Pool, names: LogNames, connectionString: string): Promise<void> {
  const client = await pool.connect().catch((error: unknown) => {
    throw connectionFailed(connectionString, error)
  })
  try {
    await readSequencer(client, names.schema)
  } finally {
    client.release()
  }
}

async function runParts(
  options: WorkerOptions,
  pool: pg.Pool,
  names: LogNames,
  signal: AbortSignal,
): Promise<void> {
  const { projections = [], reactors = [], tasks = [], logger = silentLogger } = options
  const jobSchema = options.jobSchema ?? defaultJobSchema
  if (reactors.length + tasks.length > 0) await installJobs(pool, jobSchema, logger)

  const pollIntervalMs = options.pollIntervalMs ?? defaults.pollIntervalMs
  const { connectionString, schema } = options
  const session = new LogSession({ connectionString, names, logger, pollIntervalMs })
  const context: SubscriptionContext = {
    pool,
    names,
    session,
    logger,
    owner: options.name ?? `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`,
    batchSize: options.batchSize ?? defaults.batchSize,
    maxAttempts: options.maxAttempts ?? defaults.maxAttempts,
  }
  const stop = new AbortController()
  const ended = AbortSignal.any([signal, stop.signal])
  const parts = [
    runSequencer(
      {
        connectionString,
        logger,
        ...(schema === undefined ? {} : { schema }),
        ...(options.mode === undefined ? {} : { mode: options.mode }),
      },
      ended,
    ),
    session.run(ended),
    ...(options.seal === false
      ? []
      : [
          runSealer(
            { pool, names, logger, intervalMs: options.sealIntervalMs ?? defaults.sealIntervalMs },
            ended,
          ),
        ]),
    ...projections.map((projection) => {
      const create = isLowestVersion(projection, projections) ? 'first' : 'none'
      return followProjection(projection, context, { create, pollIntervalMs }, ended)
    }),
    ...reactors.map((reactor) => followReactor(reactor, context, jobSchema, ended)),
    ...(tasks.length === 0
      ? []
      : [
          runJobs(
            tasks,
            {
              pool,
              jobSchema,
              logger,
              concurrency: options.jobConcurrency ?? defaults.jobConcurrency,
            },
            ended,
          ),
        ]),
  ]
  await untilAllEnd(parts, stop)
}

/** Of the versions that a worker knows, the lowest is the live one of a log that has none yet. */
function isLowestVersion(projection: AnyProjection, all: readonly AnyProjection[]): boolean {
  return !all.some(({ name, version }) => name === projection.name && version < projection.version)
}

/** Waits for all parts; the first that throws ends the others. */
async function untilAllEnd(parts: readonly Promise<void>[], stop: AbortController): Promise<void> {
  const results = await Promise.allSettled(
    parts.map((part) =>
      part.catch((error: unknown) => {
        stop.abort()
        throw error
      }),
    ),
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
