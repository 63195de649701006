import { expect, test } from 'vitest'
import { parseArguments } from './parse-arguments.ts'

const supported = ['14', '15', '16']

test.for([
  ['all versions and tests without arguments', [], supported, []],
  ['the versions that are named, in their order', ['16', '14'], ['16', '14'], []],
  ['a version once', ['15', '15'], ['15'], []],
  [
    'what follows -- to vitest',
    ['15', '--', 'test/db', '-t', '14'],
    ['15'],
    ['test/db', '-t', '14'],
  ],
  ['all versions for chosen tests', ['--', 'test/db'], supported, ['test/db']],
] as const)('chooses %s', ([, args, versions, vitest]) => {
  expect(parseArguments(args, supported)).toEqual({ versions, vitest })
})

test('refuses a version that is not supported, and tests in the place of versions', () => {
  expect(() => parseArguments(['14', '13'], supported)).toThrow('no version is named "13"')
  expect(() => parseArguments(['test/db'], supported)).toThrow('files stand after a further --')
})
