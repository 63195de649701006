import { isTidemarkError } from '../core/tidemark-error.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { isTransient } from '../db/sqlstate.ts'
import { pause } from '../db/wait.ts'
import {
  projectionSubscriber,
  projectionSubscription,
} from '../projections/lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { readDivision } from '../projections/versions/read-division.ts'
import { settleVersion } from '../projections/versions/settle-version.ts'
import {
  ensureVersion,
  type ProjectionVersion,
  readIdentity,
  type VersionsToCreate,
} from '../projections/versions/versions.ts'
import type { Partition } from '../subscriptions/partitions/partition.ts'
import { runPartitions } from '../subscriptions/partitions/run-partitions.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { untilMended } from './until-mended.ts'

export interface FollowOptions {
  /** Which versions to create: of several definitions of one projection, one alone may be its first. */
  readonly create: Exclude<VersionsToCreate, 'any'>
}

/**
 * Keeps one version of a projection up to date for as long as the database has it: whether it is
 * building, ready, live or standing by; while it is inline, appends do. A later version that nobody has built
 * is waited for, and so is one that has drifted, until it is mended.
 *
 * @throws SCHEMA_FOREIGN, DEFINITION_INVALID
 */
export async function followProjection(
  projection: AnyProjection,
  context: SubscriptionContext,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, session } = context
  const caughtUp = () => settleVersion(pool, names, projection, signal)
  const subscriberOf = (partition: Partition) =>
    projectionSubscriber(projection, names, { caughtUp, partition })
  let announced = false
  while (!signal.aborted) {
    const { versions } = session
    const lookUp = (create: VersionsToCreate) =>
      ensureVersionPatiently(projection, context, create, signal)
    const version = await untilMended(projection, context, () => lookUp(options.create), signal)
    if (signal.aborted) return
    const isInline = version?.isInline === true
    if (version === undefined || version.state === 'retired' || isInline) {
      if (!announced && !isInline) announceUnbuilt(projection, context)
      announced ||= !isInline
      await session.untilVersionsDiffer(versions, signal)
      continue
    }
    await announceDivision(projection, context)
    const end = await untilReplaced(projection, context, signal, (ended) =>
      runPartitions(projectionSubscription(projection), subscriberOf, context, ended),
    )
    if (end === 'failed' && !(await hasDrifted(() => lookUp('none')))) return
  }
}

/**
 * Follows a version for as long as it is the same one. When it was reset, or dropped and built anew, the log
 * may rest, and nothing else would tell.
 */
async function untilReplaced<T>(
  projection: AnyProjection,
  { pool, names, session, logger }: SubscriptionContext,
  signal: AbortSignal,
  follow: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  const watch = async () => {
    const before = await readIdentity(pool, names, projection)
    let { versions } = session
    while (!ended.aborted && (await readIdentity(pool, names, projection)) === before) {
      await session.untilVersionsDiffer(versions, ended)
      versions = session.versions
    }
    over.abort()
  }
  const task = `watch over projection "${projection.name}"`
  const watching = keepTrying(watch, { task, signal: ended, logger })
  try {
    return await follow(ended)
  } finally {
    over.abort()
    await watching
  }
}

/** Whether somebody changed the tables: then a handler that failed may be right. */
async function hasDrifted(lookUp: () => Promise<unknown>): Promise<boolean> {
  const failure = await lookUp().then(
    () => undefined,
    (error: unknown) => error,
  )
  return isTidemarkError(failure, 'PROJECTION_DRIFTED')
}

/** Pause after the database could not be asked. */
const retryMs = 1_000

/** @returns undefined when nobody has built the version, or when it was aborted. */
async function ensureVersionPatiently(
  projection: AnyProjection,
  context: SubscriptionContext,
  create: VersionsToCreate,
  signal: AbortSignal,
): Promise<ProjectionVersion | undefined> {
  do {
    try {
      return await ensureVersion(context.pool, context.names, projection, create)
    } catch (error) {
      if (!isTransient(error)) throw error
      context.logger.warn(
        { projection: projection.name, err: error },
        'cannot look up a projection',
      )
    }
  } while (await pause(retryMs, signal))
  return undefined
}

/** Old and new code may run at once: neither changes the number for the other. */
async function announceDivision(
  { name, version, partitions }: AnyProjection,
  { pool, names, logger }: SubscriptionContext,
): Promise<void> {
  // Nothing depends on what is only said.
  const division = await readDivision(pool, names, { name, version }).catch(() => undefined)
  if (division === undefined || division.wanted === partitions) return
  logger.info(
    { projection: name, version, partitions: division.wanted, defined: partitions },
    `projection "${name}" version ${version} is to have ${division.wanted} partitions, not the ${partitions} ` +
      `of its definition: \`tidemark repartition ${name}\` changes it`,
  )
}

function announceUnbuilt(projection: AnyProjection, context: SubscriptionContext): void {
  const { name, version } = projection
  context.logger.info(
    { projection: name, version },
    `projection "${name}" version ${version} is not built yet: run \`tidemark rebuild ${name}\``,
  )
}
