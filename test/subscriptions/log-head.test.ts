import { expect, test } from 'vitest'
import { LogHead } from '../../src/subscriptions/log-head.ts'

/** Tells whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise, Promise.resolve().then(() => pending)])) !== pending
}

const never = new AbortController().signal

test('returns at once when the log reaches beyond', async () => {
  const head = new LogHead()
  head.advance(5n)
  await head.beyond(4n, never)
  expect(head.position).toBe(5n)
})

test('waits for a position beyond, not for the position itself', async () => {
  const head = new LogHead()
  const waiting = head.beyond(3n, never)
  head.advance(3n)
  expect(await isSettled(waiting)).toBe(false)
  head.advance(4n)
  await waiting
})

test('never goes back, and wakes nobody for what is not new', async () => {
  const head = new LogHead()
  head.advance(10n)
  const waiting = head.beyond(10n, never)
  head.advance(7n)
  head.advance(10n)
  expect(head.position).toBe(10n)
  expect(await isSettled(waiting)).toBe(false)
  head.advance(11n)
  await waiting
})

test('wakes all who wait, each for its own position', async () => {
  const head = new LogHead()
  const order: string[] = []
  const waiting = [1n, 2n, 3n].map((position) =>
    head.beyond(position, never).then(() => order.push(`${position}`)),
  )
  head.advance(3n)
  await Promise.all(waiting.slice(0, 2))
  expect(order.sort()).toEqual(['1', '2'])
  head.advance(4n)
  await waiting[2]
  expect(order.sort()).toEqual(['1', '2', '3'])
})

test('stops waiting when aborted, before or meanwhile', async () => {
  const head = new LogHead()
  await head.beyond(0n, AbortSignal.abort())
  const controller = new AbortController()
  const waiting = head.beyond(0n, controller.signal)
  controller.abort()
  await waiting
  expect(head.position).toBe(0n)
})
