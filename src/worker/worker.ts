import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type pg from 'pg'
import { type Logger, silentLogger } from '../core/logger.ts'
import { connectionFailed, createPool } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { type LogNames, logNames } from '../db/log-names.ts'
import { readServerFacts, requireUsableServer } from '../db/preflight.ts'
import { isConnectionLoss } from '../db/sqlstate.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { defaultJobSchema, installJobs, runJobs } from '../jobs/run-jobs.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { runSealer } from '../sequencer/integrity/run-sealer.ts'
import { runSequencer } from '../sequencer/sequencer.ts'
import { readSequencer } from '../sequencer/sequencer-state.ts'
import type { SequencerMode } from '../sequencer/term-settings.ts'
import { LogSession } from '../subscriptions/log-session.ts'
import { SharedMoves } from '../subscriptions/shared-moves.ts'
import { SharedReads } from '../subscriptions/shared-reads.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { announceVersions } from './announce-versions.ts'
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
  /**
   * How often one of all workers looks for what no notification told: a subscription that nobody
   * delivers, a sequencer that nobody leads. Default 500; 20 workers ask two questions a second in all.
   */
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
  pollIntervalMs: 500,
  maxConnections: 10,
  jobConcurrency: 5,
  sealIntervalMs: 10_000,
}

/**
 * Runs everything that a log needs, until aborted: takes part in sequencing, applies projections,
 * turns events into jobs and runs them. Any number of workers run at once; they share the work.
 *
 * When aborted it finishes the chunks and jobs at hand, closes its connections and returns. It
 * outlives a restart of the server, and a failover. Killed at any moment, it has lost and repeated
 * nothing. On a standby it says so, and waits until that is promoted.
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
    await begin(options, pool, names, signal)
    if (signal.aborted) return
    const { projections = [], logger = silentLogger } = options
    await announceVersions(pool, names, projections, logger).catch(announceLoss(logger))
    await runParts(options, pool, names, signal)
  } finally {
    await pool.end()
  }
}

/** Nothing depends on what is only said. */
function announceLoss(logger: Logger): (error: unknown) => void {
  return (err) => logger.warn({ err }, 'cannot look up the versions of projections')
}

/** Sees to what the parts take for granted. */
async function begin(
  options: WorkerOptions,
  pool: pg.Pool,
  names: LogNames,
  signal: AbortSignal,
): Promise<void> {
  const { connectionString, reactors = [], tasks = [], logger = silentLogger } = options
  const client = await pool.connect().catch((error: unknown) => {
    throw connectionFailed(connectionString, error)
  })
  try {
    await readSequencer(client, names.schema).finally(() => client.release())
    await untilPrimary(pool, logger, signal)
    if (signal.aborted || reactors.length + tasks.length === 0) return
    await installJobs(pool, options.jobSchema ?? defaultJobSchema, logger)
  } catch (error) {
    throw isConnectionLoss(error) ? connectionFailed(connectionString, error) : error
  }
}

/** Waits until the server is no standby: nothing can be done there but wait. */
async function untilPrimary(pool: pg.Pool, logger: Logger, signal: AbortSignal): Promise<void> {
  const found = new AbortController()
  const ended = AbortSignal.any([signal, found.signal])
  const look = async () => {
    const client = await pool.connect()
    try {
      requireUsableServer(await readServerFacts(client))
      found.abort()
    } finally {
      client.release()
    }
  }
  await keepTrying(look, { task: 'worker', signal: ended, logger, maxDelayMs: 1_000 })
}

async function runParts(
  options: WorkerOptions,
  pool: pg.Pool,
  names: LogNames,
  signal: AbortSignal,
): Promise<void> {
  const { projections = [], reactors = [], tasks = [], logger = silentLogger } = options
  const jobSchema = options.jobSchema ?? defaultJobSchema
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
    shared: { reads: new SharedReads(), moves: new SharedMoves(pool, names) },
  }
  const stop = new AbortController()
  const ended = AbortSignal.any([signal, stop.signal])
  const parts = [
    runSequencer(
      {
        connectionString,
        logger,
        untilLeaderless: (ended) => session.untilLeaderless(ended),
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
            {
              pool,
              names,
              logger,
              intervalMs: options.sealIntervalMs ?? defaults.sealIntervalMs,
              head: session.head,
            },
            ended,
          ),
        ]),
    ...projections.map((projection) => {
      const create = isLowestVersion(projection, projections) ? 'first' : 'none'
      return followProjection(projection, context, { create }, ended)
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
