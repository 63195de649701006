import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, reactor } from '../../../src/index.ts'
import { LoadShedder } from '../../../src/jobs/shedding/load-shedder.ts'

const marks = { types: ['seen'], highWater: 100, lowWater: 40 }

test('sheds from above the high mark down to the low one, and not again before the high one', () => {
  const shedder = new LoadShedder(marks)
  const behind = [0, 100, 101, 60, 41, 40, 60, 100, 101]
  const changes = behind.map((n) => shedder.observe(BigInt(n)))
  expect(changes).toEqual([false, false, true, false, false, true, false, false, true])
  expect(shedder.isShedding).toBe(true)
  expect(shedder.behind).toBe(101n)
})

test('sheds no types but those that it may', () => {
  const shedder = new LoadShedder(marks)
  expect(shedder.sheds('seen')).toBe(false)
  shedder.observe(1_000n)
  expect(shedder.sheds('seen')).toBe(true)
  expect(shedder.sheds('paid')).toBe(false)
})

test('ceases at half of the high mark unless told otherwise', () => {
  const shedder = new LoadShedder({ types: ['seen'], highWater: 101 })
  const behind = [102n, 51n, 50n]
  expect(behind.map((n) => shedder.observe(n))).toEqual([true, false, true])
})

const Seen = event('seen').v(1, z.object({ n: z.int() }))
const define = (shed: object) => () => {
  const types: readonly 'seen'[] = ['seen']
  const on = { seen: () => null }
  return reactor('counting', { events: [Seen], on, shed: { ...marks, types, ...shed } })
}

test.each([
  [{ types: [] }, 'names no types'],
  [{ types: ['unseen'] }, 'names "unseen", which it does not read'],
  [{ highWater: 0, lowWater: 0 }, '`highWater` is no whole number from 1'],
  [{ highWater: 1.5 }, '`highWater` is no whole number from 1'],
  [{ lowWater: 101 }, '`lowWater` is no whole number up to `highWater`'],
  [{ lowWater: -1 }, '`lowWater` is no whole number up to `highWater`'],
])('a definition with %j is refused', (shed, reason) => {
  expect(define(shed)).toThrow(
    expect.objectContaining({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining(reason),
    }),
  )
})

test('a type that the reactor does not read is a compile error', () => {
  const mistaken = () =>
    // @ts-expect-error no such type
    reactor('x', { events: [Seen], on: { seen: () => null }, shed: { ...marks, types: ['paid'] } })
  expect(mistaken).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
})
