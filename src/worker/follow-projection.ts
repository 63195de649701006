import { isTransient } from '../db/sqlstate.ts'
import { pause } from '../db/wait.ts'
import { markReady } from '../projections/build-status.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { projectionSubscriber } from '../projections/projection-subscriber.ts'
import {
  ensureVersion,
  type ProjectionVersion,
  type VersionsToCreate,
} from '../projections/versions.ts'
import { runSubscription, type SubscriptionContext } from '../subscriptions/run-subscription.ts'

export interface FollowOptions {
  /** Which versions to create: of several definitions of one projection, one alone may be its first. */
  readonly create: Exclude<VersionsToCreate, 'any'>
  readonly pollIntervalMs: number
}

/**
 * Keeps one version of a projection up to date for as long as the database has it: whether it is
 * building, ready, live or standing by. A later version that nobody has built is waited for.
 *
 * @throws PROJECTION_DRIFTED, SCHEMA_FOREIGN
 */
export async function followProjection(
  projection: AnyProjection,
  context: SubscriptionContext,
  options: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names } = context
  const { create, pollIntervalMs } = options
  const subscriber = projectionSubscriber(projection, {
    caughtUp: () => markReady(pool, names, projection),
  })
  let announced = false
  while (!signal.aborted) {
    const version = await ensureOrRetry(projection, context, create)
    if (version === undefined || version.state === 'retired') {
      if (!announced) announceUnbuilt(projection, context)
      announced = true
      await pause(pollIntervalMs, signal)
      continue
    }
    const end = await runSubscription(subscriber, context, signal)
    if (end === 'failed') return
  }
}

async function ensureOrRetry(
  projection: AnyProjection,
  context: SubscriptionContext,
  create: VersionsToCreate,
): Promise<ProjectionVersion | undefined> {
  try {
    return await ensureVersion(context.pool, context.names, projection, create)
  } catch (error) {
    if (!isTransient(error)) throw error
    context.logger.warn({ projection: projection.name, err: error }, 'cannot look up a projection')
    return undefined
  }
}

function announceUnbuilt(projection: AnyProjection, context: SubscriptionContext): void {
  const { name, version } = projection
  context.logger.info(
    { projection: name, version },
    `projection "${name}" version ${version} is not built yet: run \`tidemark rebuild ${name}\``,
  )
}
