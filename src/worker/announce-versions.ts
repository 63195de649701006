import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { listVersions } from '../projections/versions/versions.ts'

/**
 * Says which versions of projections the database has and this worker does not know: it leaves them to
 * workers that do. While old and new code run together that is as it should be.
 */
export async function announceVersions(
  connection: Connection,
  names: LogNames,
  projections: readonly AnyProjection[],
  logger: Logger,
): Promise<void> {
  const unknown = (await listVersions(connection, names)).filter(
    ({ name, version, state }) =>
      state !== 'retired' &&
      !projections.some((known) => known.name === name && known.version === version),
  )
  for (const { name, version, state } of unknown) {
    logger.info(
      { projection: name, version, state },
      `projection "${name}" version ${version}, which is ${state}, is left to workers with its definition`,
    )
  }
}
