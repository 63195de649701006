import type { Random } from '../../support/random.ts'

/** What the database says of a version. */
export interface VersionState {
  readonly version: number
  readonly state: 'building' | 'ready' | 'live' | 'standby' | 'retired'
}

/** What to do with the versions of a projection. */
export interface VersionChange {
  readonly change: 'rebuild' | 'replay' | 'promote' | 'rollback' | 'drop'
  readonly version: number
}

/** Chooses what is possible: of two versions one is missing, is being built, stands by or is live. */
export function chooseVersionChange(
  versions: readonly VersionState[],
  random: Random,
): VersionChange {
  const other = versions.find(({ state }) => state !== 'live')
  if (other === undefined) {
    return { change: 'rebuild', version: versions[0]?.version === 1 ? 2 : 1 }
  }
  const { version, state } = other
  if (state === 'building') return { change: random.pick(['rebuild', 'replay']), version }
  if (state === 'ready') return { change: random.pick(['promote', 'promote', 'replay']), version }
  // Only an older one is rolled back to.
  const isOlder = versions.some(
    ({ state: live, version: newer }) => live === 'live' && version < newer,
  )
  return {
    change: random.pick(
      isOlder ? ['promote', 'rollback', 'drop', 'replay'] : ['promote', 'drop', 'replay'],
    ),
    version,
  }
}
