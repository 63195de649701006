import { expect, test } from 'vitest'
import { benchmarks } from '../../bench/benchmarks.ts'
import { chooseBenchmarks } from '../../bench/choose-benchmarks.ts'

const names = [['append/1'], ['append/128'], ['append/batch1000'], ['read', 'read-twice']]
const all = names.map((each) => ({ names: each }))

test.each<[asked: string[], chosen: string[], unknown: string[]]>([
  [[], ['append/1', 'append/128', 'append/batch1000', 'read'], []],
  [['append'], ['append/1', 'append/128', 'append/batch1000'], []],
  [['append/1'], ['append/1'], []],
  [['append/b'], ['append/batch1000'], []],
  [['read-twice', 'append/1'], ['append/1', 'read'], []],
  [
    ['append', 'write', 'appendix'],
    ['append/1', 'append/128', 'append/batch1000'],
    ['write', 'appendix'],
  ],
])('%j chooses %j and does not know %j', (asked, expected, unknown) => {
  const choice = chooseBenchmarks(all, asked)
  expect(choice.chosen.map((benchmark) => benchmark.names[0])).toEqual(expected)
  expect(choice.unknown).toEqual(unknown)
})

test('gives every measurement a name of its own', () => {
  const given = benchmarks.flatMap((benchmark) => benchmark.names)
  expect(given).toEqual([...new Set(given)])
})
