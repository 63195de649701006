import { isTidemarkError, type TidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
import { readInlineVersion } from '../projections/inline/switch-inline.ts'
import { projectionSubscription } from '../projections/lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projections/projection.ts'
import type { ProjectionVersion } from '../projections/versions/versions.ts'
import { stopUndelivered } from '../subscriptions/stop-undelivered.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'

/** Least time between two looks at a version that has drifted; workers look the more rarely the more they are. */
const lookMs = 1_000

/**
 * Looks a version up until it has not drifted. Meanwhile it is not followed: the log says why, once, and so
 * does `status`, unless another process delivers it, whose definition is the right one.
 *
 * @param lookUp throws PROJECTION_DRIFTED, or what ends the worker.
 * @returns what was looked up; undefined also when it was aborted.
 */
export async function untilMended(
  projection: AnyProjection,
  context: SubscriptionContext,
  lookUp: () => Promise<ProjectionVersion | undefined>,
  signal: AbortSignal,
): Promise<ProjectionVersion | undefined> {
  let said: string | undefined
  while (!signal.aborted) {
    try {
      const version = await lookUp()
      if (said !== undefined && version !== undefined) announceMended(version, context)
      return version
    } catch (error) {
      if (!isTidemarkError(error, 'PROJECTION_DRIFTED')) throw error
      if (error.message !== said) await announceDrift(projection, context, error)
      said = error.message
      await recordDrift(projection, context, error)
    }
    if (await pause(lookMs, signal)) await context.session.untilLooked(signal)
  }
  return undefined
}

type Drifted = TidemarkError<'PROJECTION_DRIFTED'>

async function announceDrift(
  { name, version }: AnyProjection,
  { pool, names, logger }: SubscriptionContext,
  error: Drifted,
): Promise<void> {
  // Nothing depends on what is only said.
  const inline = await readInlineVersion(pool, names, name).catch(() => null)
  const meanwhile =
    inline === version
      ? 'appends go on applying it, or fail'
      : 'it is not followed until that is done; everything else goes on'
  const fields = { code: error.code, projection: name, version, err: error }
  logger.error(fields, `${error.message}; ${meanwhile}`)
}

function announceMended({ name, version }: ProjectionVersion, context: SubscriptionContext): void {
  const text = `projection "${name}" version ${version} has the tables of its definition again`
  context.logger.info({ projection: name, version }, `${text}, and goes on`)
}

/** Tried again with the next look. */
async function recordDrift(
  projection: AnyProjection,
  { pool, names, logger }: SubscriptionContext,
  { code, message }: Drifted,
): Promise<void> {
  const id = projectionSubscription(projection)
  await stopUndelivered(pool, names, id, { code, message }).catch((error: unknown) => {
    const text = 'cannot record why a projection stands still'
    logger.warn({ projection: projection.name, err: error }, text)
  })
}
