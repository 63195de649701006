import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { ParsedCronItem } from 'graphile-worker'
import type pg from 'pg'
import type { AnyEventDefinition } from '../core/event.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import { connectionFailed, createPool } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { type LogNames, logNames } from '../db/log-names.ts'
import { readServerFacts, requireUsableServer } from '../db/preflight.ts'
import { isConnectionLoss } from '../db/sqlstate.ts'
import { type ProcessTaskContext, processTask } from '../jobs/processes/process-task.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { defaultJobSchema, installJobs } from '../jobs/run-jobs.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { TaskStore } from '../jobs/task-context.ts'
import type { Relay } from '../outbox/relay.ts'
import type { Route } from '../outbox/route.ts'
import { runRelay } from '../outbox/run-relay.ts'
import { trimOutbox } from '../outbox/trim-outbox.ts'
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
import { followProcess } from './follow-process.ts'
import { followProjection } from './follow-projection.ts'
import { followReactor } from './follow-reactor.ts'
import { followRoute } from './follow-route.ts'
import { type JobPartOptions, runJobPart } from './run-job-part.ts'

export interface WorkerOptions {
  readonly connectionString: string
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  readonly projections?: readonly AnyProjection[]
  readonly reactors?: readonly Reactor[]
  readonly processes?: readonly AnyProcess[]
  readonly tasks?: readonly AnyTask[]
  readonly routes?: readonly Route[]
  readonly relays?: readonly Relay[]
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
  /** Jobs by the clock, as `cron` makes them. */
  readonly cron?: readonly ParsedCronItem[]
  /** Event types that tasks read, besides those of projections and reactors. */
  readonly events?: readonly AnyEventDefinition[]
  /** Projections that what tasks append is applied to inline. See `StoreOptions.inline`. */
  readonly inline?: readonly AnyProjection[]
  /** The store of tasks. Default: one of the worker's own. The caller closes it. */
  readonly store?: TaskStore
  /** How long jobs may go on when the worker stops before their signals are aborted. Default 5,000. */
  readonly jobGraceMs?: number
  /** How long a worker may be gone before others run the jobs that it has left. Default 10,000. */
  readonly jobTakeoverMs?: number
  /** How long results of `once` are kept. Default 30 days. */
  readonly keepOnceMs?: number
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
  /**
   * How long messages stay in the outbox at least. Then they are removed once every relay has passed them; where
   * there is no relay, anyway. Default 86,400,000: a day.
   */
  readonly outboxRetentionMs?: number
  /** How often to look for messages to remove. Default 60,000. */
  readonly outboxTrimIntervalMs?: number
}

const defaults = {
  batchSize: 1_000,
  maxAttempts: 5,
  pollIntervalMs: 500,
  maxConnections: 10,
  jobConcurrency: 5,
  sealIntervalMs: 10_000,
  outboxRetentionMs: 86_400_000,
  outboxTrimIntervalMs: 60_000,
  jobGraceMs: 5_000,
  jobTakeoverMs: 10_000,
  keepOnceMs: 30 * 24 * 3_600_000,
}

/**
 * Runs everything that a log needs, until aborted: takes part in sequencing, applies projections,
 * turns events into jobs and runs them, and into messages, which it relays. Any number of workers run at once; they share the work.
 *
 * When aborted it finishes the chunks and jobs at hand, closes its connections and returns. It
 * outlives a restart of the server, and a failover. Killed at any moment, it has lost and repeated
 * nothing. On a standby it says so, and waits until that is promoted.
 *
 * A projection that has drifted stands still until that is mended; everything else goes on. A definition that
 * cannot be right anywhere ends the start.
 *
 * @throws CONNECTION_FAILED, SCHEMA_NOT_INSTALLED, SCHEMA_FOREIGN, DEFINITION_INVALID at the start.
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
  const { connectionString, logger = silentLogger } = options
  const client = await pool.connect().catch((error: unknown) => {
    throw connectionFailed(connectionString, error)
  })
  try {
    await readSequencer(client, names.schema).finally(() => client.release())
    await untilPrimary(pool, logger, signal)
    if (signal.aborted || !needsJobs(options)) return
    await installJobs(pool, options.jobSchema ?? defaultJobSchema, logger)
  } catch (error) {
    throw isConnectionLoss(error) ? connectionFailed(connectionString, error) : error
  }
}

/** Those of the user, and those by which processes act. */
function tasksOf(
  { tasks = [], processes = [] }: WorkerOptions,
  context: ProcessTaskContext,
): readonly AnyTask[] {
  return [...tasks, ...processes.map((one) => processTask(one, context))]
}

function needsJobs({ reactors = [], processes = [], tasks = [] }: WorkerOptions): boolean {
  return reactors.length + processes.length + tasks.length > 0
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
  const { projections = [], reactors = [], processes = [], logger = silentLogger } = options
  const tasks = tasksOf(options, { pool, names })
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
    ...processes.map((one) => followProcess(one, context, jobSchema, ended)),
    ...(options.routes ?? []).map((route) => followRoute(route, context, ended)),
    ...(options.relays ?? []).map((relay) => runRelay(relay, context, ended)),
    trimOutbox(
      {
        pool,
        names,
        logger,
        retentionMs: options.outboxRetentionMs ?? defaults.outboxRetentionMs,
        intervalMs: options.outboxTrimIntervalMs ?? defaults.outboxTrimIntervalMs,
      },
      ended,
    ),
    ...(tasks.length === 0 ? [] : [runJobPart(jobPartOptions(options, tasks, context), ended)]),
  ]
  // Jobs at hand, which others would take over without it.
  const sessionEnd = new AbortController()
  const holding = session.run(sessionEnd.signal)
  try {
    await untilAllEnd(parts, stop)
  } finally {
    sessionEnd.abort()
    await holding
  }
}

function jobPartOptions(
  options: WorkerOptions,
  tasks: readonly AnyTask[],
  context: SubscriptionContext,
): JobPartOptions {
  const { connectionString, projections = [], reactors = [], events, inline } = options
  const { pool, names, logger, session, owner } = context
  return {
    ...{ connectionString, pool, names, logger, session, owner, projections, reactors, tasks },
    jobSchema: options.jobSchema ?? defaultJobSchema,
    concurrency: options.jobConcurrency ?? defaults.jobConcurrency,
    graceMs: options.jobGraceMs ?? defaults.jobGraceMs,
    takeoverMs: options.jobTakeoverMs ?? defaults.jobTakeoverMs,
    keepOnceMs: options.keepOnceMs ?? defaults.keepOnceMs,
    store: options.store,
    ...(options.cron === undefined ? {} : { cron: options.cron }),
    ...(events === undefined ? {} : { events }),
    ...(inline === undefined ? {} : { inline }),
  }
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
