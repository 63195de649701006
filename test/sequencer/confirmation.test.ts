import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Confirmation } from '../../src/sequencer/confirmation.ts'

test('confirms nothing beyond its start until something is durable', () => {
  const confirmation = new Confirmation(100n)
  confirmation.received()
  expect(confirmation.lsn).toBe(100n)
  confirmation.durable(1, 140n)
  expect(confirmation.lsn).toBe(140n)
})

test('confirms the end of the last durable commit while later ones wait', () => {
  const confirmation = new Confirmation(100n)
  for (let i = 0; i < 3; i += 1) confirmation.received()
  confirmation.durable(2, 160n)
  expect([confirmation.lsn, confirmation.pending]).toEqual([160n, 1])
})

test('a keepalive is passed when no commit waits, and confirmed when it is recorded', () => {
  const confirmation = new Confirmation(100n)
  confirmation.received()
  confirmation.idle(500n)
  expect([confirmation.reached, confirmation.lsn]).toEqual([100n, 100n])
  confirmation.durable(1, 140n)
  confirmation.idle(500n)
  expect([confirmation.reached, confirmation.lsn]).toEqual([500n, 140n])
  confirmation.recorded(400n)
  expect([confirmation.reached, confirmation.lsn]).toEqual([500n, 400n])
})

test('does not confirm what is recorded and was not reached', () => {
  const confirmation = new Confirmation(100n)
  confirmation.recorded(101n)
  expect(confirmation.lsn).toBe(100n)
})

test('never goes back', () => {
  const confirmation = new Confirmation(100n)
  confirmation.idle(50n)
  confirmation.recorded(50n)
  expect([confirmation.reached, confirmation.lsn]).toEqual([100n, 100n])
  confirmation.received()
  confirmation.durable(1, 90n)
  expect([confirmation.reached, confirmation.lsn]).toEqual([100n, 100n])
})

describe('whatever comes in whatever order', () => {
  type Step =
    | { readonly kind: 'commit'; readonly bytes: bigint }
    | { readonly kind: 'keepalive'; readonly bytes: bigint }
    | { readonly kind: 'late keepalive'; readonly back: bigint }
    | { readonly kind: 'written'; readonly share: number }
    | { readonly kind: 'recorded'; readonly back: bigint }

  const bytes = fc.bigInt({ min: 0n, max: 64n })
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('commit' as const), bytes: fc.bigInt({ min: 1n, max: 64n }) }),
    fc.record({ kind: fc.constant('keepalive' as const), bytes }),
    fc.record({ kind: fc.constant('late keepalive' as const), back: bytes }),
    fc.record({ kind: fc.constant('recorded' as const), back: bytes }),
    fc.record({
      kind: fc.constant('written' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  )

  /** The stream as the server sends it: its place only goes forward, commits wait until written. */
  interface Model {
    place: bigint
    waiting: bigint[]
    reached: bigint
    confirmable: bigint
  }

  function take(model: Model, confirmation: Confirmation, next: Step): void {
    switch (next.kind) {
      case 'commit':
        model.place += next.bytes
        model.waiting.push(model.place)
        confirmation.received()
        return
      case 'keepalive':
      case 'late keepalive':
        if (next.kind === 'keepalive') model.place += next.bytes
        keepAlive(model, confirmation, next.kind === 'keepalive' ? 0n : next.back)
        return
      case 'written': {
        const written = model.waiting.splice(0, Math.ceil(next.share * model.waiting.length))
        const last = written.at(-1)
        if (last === undefined) return
        model.reached = greatest(model.reached, last)
        model.confirmable = greatest(model.confirmable, last)
        confirmation.durable(written.length, last)
        return
      }
      case 'recorded': {
        // Of what was reached when the statement was sent.
        const lsn = model.reached > next.back ? model.reached - next.back : 0n
        model.confirmable = greatest(model.confirmable, lsn)
        confirmation.recorded(lsn)
      }
    }
  }

  function keepAlive(model: Model, confirmation: Confirmation, back: bigint): void {
    const lsn = model.place > back ? model.place - back : 0n
    if (model.waiting.length === 0) model.reached = greatest(model.reached, lsn)
    confirmation.idle(lsn)
  }

  const greatest = (a: bigint, b: bigint) => (a > b ? a : b)

  test('it confirms exactly what is safe, only forward, and never a commit that waits', () => {
    fc.assert(
      fc.property(bytes, fc.array(step, { maxLength: 60 }), (start, steps) => {
        const model: Model = { place: start, waiting: [], reached: start, confirmable: start }
        const confirmation = new Confirmation(start)
        let before = start
        for (const next of steps) {
          take(model, confirmation, next)
          expect(confirmation.lsn).toBe(model.confirmable)
          expect(confirmation.reached).toBe(model.reached)
          expect(confirmation.pending).toBe(model.waiting.length)
          expect(confirmation.lsn >= before).toBe(true)
          expect(confirmation.lsn <= confirmation.reached).toBe(true)
          expect(model.waiting.every((end) => confirmation.reached < end)).toBe(true)
          before = confirmation.lsn
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
