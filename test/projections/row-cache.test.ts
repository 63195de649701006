import { expect, test } from 'vitest'
import { RowCache } from '../../src/projections/lanes/row-cache.ts'

const row = (n: number) => ({ n })

test('drops what came first, once a chunk is over', () => {
  const cache = new RowCache(2)
  for (const n of [1, 2, 3, 4]) cache.set(`${n}`, row(n))
  expect(cache.get('1')).toEqual(row(1))
  cache.evict()
  expect([1, 2, 3, 4].map((n) => cache.has(`${n}`))).toEqual([false, false, true, true])
  expect(cache.get('1')).toBeNull()
})

test('knows every absent row of a table that it holds, until it drops one', () => {
  const cache = new RowCache(2)
  expect(cache.isBlank).toBe(true)
  cache.holdTable()
  expect(cache.has('never')).toBe(true)
  expect(cache.get('never')).toBeNull()
  cache.set('1', row(1))
  cache.set('2', null)
  cache.evict()
  expect(cache.has('never')).toBe(true)
  cache.set('3', row(3))
  cache.evict()
  expect(cache.has('1')).toBe(false)
  expect(cache.has('never')).toBe(false)
  expect(cache.has('3')).toBe(true)
})

test('knows nothing any more when it was cleared', () => {
  const cache = new RowCache(2)
  cache.holdTable()
  cache.set('1', row(1))
  cache.clear()
  expect(cache.isBlank).toBe(true)
  expect(cache.has('1')).toBe(false)
})
