import { isTidemarkError } from '../../core/tidemark-error.ts'
import type { AnyProjection } from '../../projections/projection.ts'
import { type Drift, findDrift } from '../../projections/tables/drift.ts'
import { listVersions, type ProjectionVersion } from '../../projections/versions/versions.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

/**
 * Checks that the tables of projections are those of their definitions, and as they were made. Of a version that
 * is not live it is a warning: nobody reads it.
 */
export async function checkProjections(
  { pool, names }: Examination,
  projections: readonly AnyProjection[],
): Promise<DoctorFinding[]> {
  if (projections.length === 0) return []
  const versions = await ask(pool, (client) => listVersions(client, names))
  const findings: DoctorFinding[] = []
  for (const projection of projections) {
    const existing = versions.find(
      ({ name, version }) => name === projection.name && version === projection.version,
    )
    const find = (version: ProjectionVersion) =>
      ask(pool, (client) => findDrift(client, names, projection, version))
    findings.push(await judge(projection, existing, find))
  }
  return findings
}

async function judge(
  { name, version }: AnyProjection,
  existing: ProjectionVersion | undefined,
  find: (version: ProjectionVersion) => Promise<Drift | undefined>,
): Promise<DoctorFinding> {
  const subject = `projection "${name}" version ${version}`
  if (existing === undefined) return fine('projections', `${subject} is not built yet`)
  try {
    const drift = await find(existing)
    if (drift === undefined)
      return fine('projections', `${subject} has the tables that it declares`)
    const say = existing.state === 'live' ? failure : warning
    return say('projections', `${subject}: ${drift.reason}`, drift.remedy)
  } catch (error) {
    // Its own SQL may be in a file that cannot be read.
    if (!isTidemarkError(error, 'DEFINITION_INVALID')) throw error
    return failure('projections', error.message, 'mend its definition')
  }
}
