import { expect, test } from 'vitest'
import type { LogEvent } from './check-log.ts'
import { FaultList } from './fault-list.ts'
import { checkTable, FoldedLog } from './fold-log.ts'

function event(id: string, type: string, account: string, amount: number): LogEvent {
  const [streamId, seen] = [`account-${account}`, [] as string[]]
  return { id, streamId, version: 1n, type: `account.${type}`, data: { account, amount }, seen }
}

function folded(): FoldedLog {
  const fold = new FoldedLog()
  fold.take(event('a', 'deposited', 'x', 90), 1n)
  fold.take(event('b', 'withdrawn', 'x', 95), 2n)
  fold.take(event('c', 'deposited', 'y', 80), 3n)
  return fold
}

test('folds a log into accounts, their last entries in order, and jobs for large deposits', () => {
  expect([...folded().rows('balances')]).toEqual([
    ['x', '-5 2'],
    ['y', '80 1'],
  ])
  expect(folded().rows('lasts').get('x')).toBe('+90-95')
  expect([...folded().jobs]).toEqual([['a', 1n]])
})

test('a digest tells that two entries have changed places, however long ago', () => {
  const fold = new FoldedLog()
  fold.take(event('b', 'withdrawn', 'x', 95), 1n)
  fold.take(event('a', 'deposited', 'x', 90), 2n)
  expect(folded().rows('folded').get('x')).toBe(`${(90 + 101) * 31 - 95 + 101} 2`)
  expect(fold.rows('folded').get('x')).toBe(`${(-95 + 101) * 31 + 90 + 101} 2`)
  expect(fold.rows('balances').get('x')).toBe(folded().rows('balances').get('x'))
})

test.for<[string, [string, string][], number]>([
  [
    'as it should be',
    [
      ['x', '-5 2'],
      ['y', '80 1'],
    ],
    0,
  ],
  [
    'with a row that is wrong',
    [
      ['x', '-5 3'],
      ['y', '80 1'],
    ],
    1,
  ],
  ['without a row', [['x', '-5 2']], 1],
  [
    'with a row too many',
    [
      ['x', '-5 2'],
      ['y', '80 1'],
      ['z', ''],
    ],
    1,
  ],
])('a table %s', ([, found, broken]) => {
  const faults = new FaultList()
  checkTable('balances', new Map(found), folded().rows('balances'), faults)
  expect(faults.counts.get('projection') ?? 0).toBe(broken)
})
