import { expect, test } from 'vitest'
import { seededRandom } from '../../support/random.ts'
import { chooseVersionChange, type VersionState } from './choose-version-change.ts'

function choices(...versions: VersionState[]): string[] {
  const random = seededRandom(1)
  const drawn = Array.from({ length: 50 }, () => chooseVersionChange(versions, random))
  return [...new Set(drawn.map(({ change, version }) => `${change} ${version}`))].toSorted()
}

test.for<[string, VersionState[], string[]]>([
  ['nothing', [], ['rebuild 1']],
  ['one version', [{ version: 1, state: 'live' }], ['rebuild 2']],
  ['the other one', [{ version: 2, state: 'live' }], ['rebuild 1']],
  [
    'one that is being built',
    [
      { version: 1, state: 'live' },
      { version: 2, state: 'building' },
    ],
    ['rebuild 2', 'replay 2'],
  ],
  [
    'one that is ready',
    [
      { version: 1, state: 'live' },
      { version: 2, state: 'ready' },
    ],
    ['promote 2', 'replay 2'],
  ],
  [
    'one that stands by',
    [
      { version: 1, state: 'standby' },
      { version: 2, state: 'live' },
    ],
    ['drop 1', 'promote 1', 'replay 1', 'rollback 1'],
  ],
  [
    'a newer one that stands by',
    [
      { version: 1, state: 'live' },
      { version: 2, state: 'standby' },
    ],
    ['drop 2', 'promote 2', 'replay 2'],
  ],
])('of a projection with %s, chooses what can be done', ([, versions, expected]) => {
  expect(choices(...versions)).toEqual(expected)
})
