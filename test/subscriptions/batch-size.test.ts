import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchSize } from '../../src/subscriptions/batch-size.ts'

test('fast work stays in the largest batches', () => {
  const size = new BatchSize(1_000)
  size.took(1_000, 1_000)
  expect(size.current).toBe(1_000)
  expect(size.isLargest).toBe(true)
})

test('slow work shrinks at once to what takes a second, and grows by twos', () => {
  const size = new BatchSize(1_000)
  size.took(1_000, 20_000)
  expect(size.current).toBe(50)
  size.took(50, 900)
  expect(size.current).toBe(50)
  size.took(50, 500)
  expect(size.current).toBe(100)
  size.took(100, 10)
  expect(size.current).toBe(200)
  expect(size.isLargest).toBe(false)
})

test('the cost of a transaction, shared by few, does not count as slow work', () => {
  const size = new BatchSize(1_000)
  for (const _batch of Array(100)) size.took(1, 20)
  expect(size.current).toBe(1_000)
})

test('what was small and took long shrinks it too, what was empty tells nothing', () => {
  const size = new BatchSize(1_000)
  size.took(0, 60_000)
  expect(size.current).toBe(1_000)
  size.took(3, 30_000)
  expect(size.current).toBe(1)
})

test('after a failure one is tried, then more', () => {
  const size = new BatchSize(8)
  size.failed()
  const sizes = [1, 2, 4, 8, 8].map((expected) => {
    const { current } = size
    size.took(current, 1)
    return [expected, current]
  })
  for (const [expected, current] of sizes) expect(current).toBe(expected)
})

test('it stays between 1 and the largest, whatever happens', () => {
  const steps = fc.array(fc.oneof(fc.constant(null), fc.tuple(fc.nat(5_000), fc.nat(100_000))))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), steps, (max, happened) => {
      const size = new BatchSize(max)
      for (const step of happened) {
        if (step === null) size.failed()
        else size.took(...step)
        expect(Number.isInteger(size.current)).toBe(true)
        expect(size.current).toBeGreaterThanOrEqual(1)
        expect(size.current).toBeLessThanOrEqual(max)
      }
    }),
  )
})
