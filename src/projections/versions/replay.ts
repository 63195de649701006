import type { LogMoment } from '../../subscriptions/log-moment.ts'
import { positionAt } from '../../subscriptions/log-moment.ts'
import type { AnyProjection } from '../projection.ts'
import { build, type RebuildContext, type RebuildOptions, type RebuildResult } from './rebuild.ts'
import { resetVersion } from './reset-version.ts'
import { ensureVersion, listVersions } from './versions.ts'

export interface ReplayOptions extends RebuildOptions {
  /** Position of the first event to apply, or the time from which on commits count. */
  readonly from: LogMoment
  /** Even the live version, whose readers see it empty at first and partial afterwards. Default false. */
  readonly live?: boolean
}

/**
 * Builds the version that a definition describes anew, from empty tables and from a position or a time on:
 * for a projection that needs recent events alone, or as often as a version that is not live is to be
 * begun again. Creates the version when there is none.
 *
 * Rows say what these events say, not what the whole log does; the catalog, `status` and `diff` tell so, and
 * `promote` asks for `partial`. From position 1 on it is the whole log.
 *
 * @throws OPTION_INVALID for a position that the log does not have.
 * @throws PROJECTION_STATE_INVALID for the live version, unless `live` is true; and what `rebuild` throws.
 */
export async function replay(
  context: RebuildContext,
  projection: AnyProjection,
  { from, live = false, ...options }: ReplayOptions,
): Promise<RebuildResult> {
  const { pool, names } = context
  const position = await positionAt(pool, names, before(from))
  const known = await listVersions(pool, names, projection.name)
  await ensureVersion(pool, names, projection, 'any')
  // Nobody reads a projection that was not there.
  await resetVersion(pool, names, projection, position, { live: live || known.length === 0 })
  return build(context, projection, options)
}

/** The last moment that does not count. */
function before(from: LogMoment): LogMoment {
  return from instanceof Date ? new Date(from.getTime() - 1) : from - 1n
}
