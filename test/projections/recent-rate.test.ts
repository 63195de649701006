import { expect, test } from 'vitest'
import { RecentRate } from '../../src/projections/versions/recent-rate.ts'

test('a rate is that of the last seconds, whatever was before', () => {
  const rate = new RecentRate()
  expect(rate.add(1_000_000n, 0)).toBe(0)
  for (let second = 1; second <= 20; second += 1)
    rate.add(1_000_000n + BigInt(second * 1_000), second * 1_000)
  for (let second = 21; second <= 25; second += 1)
    rate.add(1_020_000n + BigInt(second - 20), second * 1_000)
  expect(rate.add(1_020_006n, 26_000)).toBe(1)
})

test('a rate is measured from where a rebuild goes on, and never below 0', () => {
  const rate = new RecentRate()
  rate.add(500n, 10)
  expect(rate.add(500n, 10)).toBe(0)
  expect(rate.add(600n, 510)).toBe(200)
  expect(rate.add(100n, 1_010)).toBe(0)
})
