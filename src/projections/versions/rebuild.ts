import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Logger } from '../../core/logger.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { isTransient } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { pause } from '../../db/wait.ts'
import { LogSession } from '../../subscriptions/log-session.ts'
import { paceOf } from '../../subscriptions/pace.ts'
import { requirePartitions } from '../../subscriptions/partitions/partition.ts'
import { requestRepartition } from '../../subscriptions/partitions/repartition.ts'
import { runPartitions } from '../../subscriptions/partitions/run-partitions.ts'
import type { SubscriptionContext } from '../../subscriptions/subscription-context.ts'
import { projectionSubscriber, projectionSubscription } from '../lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projection.ts'
import { requirePartitionable } from '../tables/check-partitions.ts'
import { versionSchema } from '../tables/ddl.ts'
import { progressOf, type RebuildProgress } from './build-progress.ts'
import { type BuildFailure, type BuildStatus, reactivate, readBuildStatus } from './build-status.ts'
import { projectionLag } from './lag.ts'
import { RecentRate } from './recent-rate.ts'
import { settleVersion } from './settle-version.ts'
import { unknownVersion } from './switch-version.ts'
import { ensureVersion, listVersions, type ProjectionState } from './versions.ts'

export interface RebuildOptions {
  /** Positions in one transaction. Default 5,000. */
  readonly batchSize?: number
  /**
   * Events of the log to pass a second at most, also those of types that the projection does not read.
   * Default: no limit. A worker that builds the version at the same time is not held up.
   */
  readonly maxEventsPerSecond?: number
  /**
   * Partitions that build it at once, 1 to 64: this process applies all that no other one applies, such as a
   * worker with the definition or another call of this function. At the end they are brought to
   * the number that the version is to have. Default: as they are, or as the definition says. The tables can have no foreign keys that are there from the beginning, and no unique constraints
   * but their keys.
   */
  readonly parallel?: number
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Stops after the chunk at hand. The version stays, and the next rebuild goes on from there. */
  readonly signal?: AbortSignal
}

export interface RebuildResult {
  readonly projection: string
  readonly version: number
  readonly position: bigint
  /** What the version is now: usually `ready`; `live` when it is the projection's first. */
  readonly state: ProjectionState
  /** Its rows come from the events after this position alone; 0: from the whole log. */
  readonly startPosition: bigint
  /** Whole milliseconds. */
  readonly durationMs: number
}

export interface RebuildContext {
  readonly pool: pg.Pool
  readonly connectionString: string
  readonly names: LogNames
  readonly logger: Logger
}

const defaults = { batchSize: 5_000, maxAttempts: 5 }
const progressIntervalMs = 100

/**
 * Builds the version that a definition describes, beside the live one, from the start of the log
 * until it has caught up, while appends and all other projections go on. Then it is `ready`: a
 * worker that knows the definition keeps it there, and `promote` shows it.
 *
 * A rebuild that was stopped or killed goes on from its checkpoint. When a worker already builds the
 * version, this call only watches it.
 *
 * @throws PROJECTION_STATE_INVALID when the version is live or was: raise the version.
 * @throws OPERATION_CANCELLED when the signal stopped it. Nothing is lost.
 * @throws SUBSCRIPTION_FAILED when a handler threw, PROJECTION_DRIFTED, SCHEMA_FOREIGN
 */
export async function rebuild(
  context: RebuildContext,
  projection: AnyProjection,
  options: RebuildOptions = {},
): Promise<RebuildResult> {
  speedOf(options)
  await requireBuildable(context, projection, options.parallel)
  return build(context, projection, options)
}

/** Applies the log to a version from where it is until it has caught up. */
export async function build(
  context: RebuildContext,
  projection: AnyProjection,
  options: RebuildOptions,
): Promise<RebuildResult> {
  const { pool, names, logger } = context
  const began = performance.now()
  const speed = speedOf(options)
  await reactivate(pool, names, projection)
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, options.signal ?? end.signal])
  const session = new LogSession({ ...context, pollIntervalMs: 1_000 })
  const [settled, stopped] = [new AbortController(), new AbortController()]
  const caughtUp = async () => {
    const isSettled = await settleVersion(pool, names, projection, signal)
    if (isSettled) settled.abort()
    return isSettled
  }
  const parts = [
    session.run(signal),
    runPartitions(
      projectionSubscription(projection),
      (partition) => projectionSubscriber(projection, names, { caughtUp, partition }),
      {
        pool,
        names,
        session,
        logger,
        owner: `rebuild ${randomUUID().slice(0, 8)}`,
        ...speed,
        maxAttempts: defaults.maxAttempts,
      },
      signal,
    ).then((reason) => {
      if (reason === 'failed') stopped.abort()
    }),
  ]
  try {
    const own = { signal, settled: settled.signal, stopped: stopped.signal }
    const { position, state, startPosition } = await watch(context, projection, options, own)
    const { name, version } = projection
    const durationMs = Math.round(performance.now() - began)
    return { projection: name, version, position, state, startPosition, durationMs }
  } finally {
    end.abort()
    await Promise.all(parts)
  }
}

/** A tenth of a second's events at once, so that a slow rebuild is not one that comes in jolts. */
function speedOf({
  batchSize = defaults.batchSize,
  maxEventsPerSecond: limit,
}: RebuildOptions): Pick<SubscriptionContext, 'batchSize' | 'pace'> {
  if (limit === undefined) return { batchSize }
  if (!(limit > 0)) throw unusable(limit)
  return { batchSize: Math.min(batchSize, Math.max(1, Math.ceil(limit / 10))), pace: paceOf(limit) }
}

function unusable(limit: number): TidemarkError {
  const reason = 'it is a number above 0'
  return new TidemarkError(
    'OPTION_INVALID',
    `maxEventsPerSecond ${limit} is not usable: ${reason}`,
    {
      details: { option: 'maxEventsPerSecond', reason },
    },
  )
}

async function requireBuildable(
  context: RebuildContext,
  projection: AnyProjection,
  parallel: number | undefined,
): Promise<void> {
  const { pool, names } = context
  const before = await listVersions(pool, names, projection.name)
  if (parallel !== undefined) requirePartitions('parallel', parallel)
  const version = await ensureVersion(pool, names, projection, 'any', parallel)
  const state = version?.state ?? 'building'
  if (parallel !== undefined && state === 'building') await divide(context, projection, parallel)
  // The first version of a projection is live at once, also while it is built.
  if (state === 'building' || state === 'ready' || before.length === 0) return
  const isOnly = before.every(({ version: other }) => other === projection.version)
  if (isOnly && (await projectionLag(pool, names, projection)) > 0n) return
  const { name, version: number } = projection
  throw new TidemarkError(
    'PROJECTION_STATE_INVALID',
    `projection "${name}" version ${number} is ${state} already: ` +
      'raise `version` in its definition to rebuild',
    { details: { projection: name, version: number, state } },
  )
}

/** One that was begun with another number goes on with this one. */
async function divide(
  { pool, names }: RebuildContext,
  projection: AnyProjection,
  partitions: number,
): Promise<void> {
  await transaction(pool, async (client) => {
    if (partitions > 1) {
      await requirePartitionable(client, projection.name, versionSchema(projection))
    }
    await requestRepartition(client, names, projectionSubscription(projection), partitions)
  })
}

/** How this process's own share of the work is. */
interface OwnWork {
  readonly signal: AbortSignal
  /** Aborted when it has found nothing left to do: then it is looked at once. */
  readonly settled: AbortSignal
  /** Aborted when it has failed. */
  readonly stopped: AbortSignal
}

async function watch(
  context: RebuildContext,
  projection: AnyProjection,
  options: RebuildOptions,
  { signal, settled, stopped }: OwnWork,
): Promise<BuildStatus> {
  const rate = new RecentRate()
  let hurry = AbortSignal.any([signal, settled])
  let first: BuildStatus | undefined
  for (;;) {
    const status = await look(context, projection, stopped)
    if (status !== undefined) {
      first ??= status
      options.onProgress?.(progressOf(status, rate.add(status.passed, performance.now())))
      if (isBuilt(first, status)) return status
    }
    if (await pause(progressIntervalMs, hurry)) continue
    if (signal.aborted) throw cancelled(projection, status ?? first)
    hurry = signal
  }
}

/** Undefined while the server cannot be reached: the build itself waits for it too. */
async function look(
  context: RebuildContext,
  projection: AnyProjection,
  stopped: AbortSignal,
): Promise<BuildStatus | undefined> {
  try {
    const hasStopped = stopped.aborted
    const status = await readBuildStatus(context.pool, context.names, projection)
    if (status === undefined) throw unknownVersion(projection.name, projection.version)
    if (status.failure !== null) await judge(context, projection, status.failure, hasStopped)
    return status
  } catch (error) {
    if (!isTransient(error)) throw error
    return undefined
  }
}

/**
 * Says why a version stands still. When that is drift, and not by this definition, it goes on here.
 *
 * @throws PROJECTION_DRIFTED, SUBSCRIPTION_FAILED
 */
async function judge(
  { pool, names }: RebuildContext,
  projection: AnyProjection,
  { code, message }: BuildFailure,
  hasStopped: boolean,
): Promise<void> {
  await ensureVersion(pool, names, projection, 'none')
  if (code !== 'PROJECTION_DRIFTED' || hasStopped) throw failed(projection, message)
}

/** A version that is live from its beginning is built when it reaches where the head was. */
function isBuilt(first: BuildStatus, now: BuildStatus): boolean {
  if (!now.isDivided) return false
  return now.state === 'live' ? now.position >= first.head : now.state !== 'building'
}

function failed(projection: AnyProjection, reason: string): TidemarkError {
  const subscription = `projection "${projection.name}" version ${projection.version}`
  return new TidemarkError('SUBSCRIPTION_FAILED', reason, { details: { subscription, reason } })
}

function cancelled(projection: AnyProjection, status: BuildStatus | undefined): TidemarkError {
  const operation = `rebuild of projection "${projection.name}" version ${projection.version}`
  return new TidemarkError(
    'OPERATION_CANCELLED',
    `the ${operation} was stopped near position ${status?.position ?? 0n} of ${status?.head ?? 0n}: ` +
      'run it again to go on from there',
    { details: { operation } },
  )
}
