import { TidemarkError } from '../core/tidemark-error.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { unknownProjection } from '../projections/versions/switch-version.ts'

/**
 * Chooses a definition by its name: the version that is asked for, else the newest.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN
 */
export function chooseProjection(
  projections: readonly AnyProjection[],
  name: string,
  version: number | undefined,
): AnyProjection {
  const versions = projections
    .filter((projection) => projection.name === name)
    .sort((a, b) => a.version - b.version)
  const newest = versions.at(-1)
  if (newest === undefined) {
    throw unknownProjection(name, [...new Set(projections.map((known) => known.name))])
  }
  const chosen = versions.find((one) => one.version === (version ?? newest.version))
  if (chosen === undefined) throw unknownVersion(name, version ?? 0, versions)
  return chosen
}

function unknownVersion(
  name: string,
  version: number,
  versions: readonly AnyProjection[],
): TidemarkError {
  const known = versions.map((one) => one.version).join(', ')
  return new TidemarkError(
    'PROJECTION_VERSION_UNKNOWN',
    `the config file has no version ${version} of projection "${name}"; known: ${known}`,
    { details: { projection: name, version } },
  )
}
