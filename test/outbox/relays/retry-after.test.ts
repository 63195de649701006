import { expect, test } from 'vitest'
import { readRetryAfter } from '../../../src/outbox/relays/retry-after.ts'

const now = new Date('2026-03-01T12:00:00Z')

test.each([
  [undefined, null],
  ['', null],
  ['soon', null],
  ['0', 0],
  ['120', 120_000],
  [' 5 ', 5_000],
  ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
  ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
  ['999999999', 24 * 60 * 60 * 1000],
])('reads %j', (value, ms) => {
  expect(readRetryAfter(value, now)).toBe(ms)
})
