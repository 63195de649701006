import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { type Action, decider, event, processManager } from '../../../src/index.ts'
import { given, outcome } from '../../../src/testing/index.ts'
import { fulfilment, OrderPlaced, Parcel, Payment, PaymentRefunded, Stock } from './fulfilment.ts'

const { act } = fulfilment

/** Compiled, never run. */
const compile = (body: () => unknown): void => void expectTypeOf(body).toBeFunction()

const base = {
  events: [OrderPlaced],
  deciders: [Payment],
  id: () => '1',
  starts: ['order.placed'],
  initial: () => ({ count: 0 }),
} as const

test('events and states come with their types', () => {
  compile(() =>
    processManager('typed', {
      ...base,
      evolve: {
        'order.placed': (state, e) => {
          expectTypeOf(state).toEqualTypeOf<{ count: number }>()
          expectTypeOf(e.data.cents).toEqualTypeOf<number>()
          return { count: state.count + 1 }
        },
      },
      on: {
        'order.placed': (state, e) => {
          expectTypeOf(state).toEqualTypeOf<{ count: number }>()
          expectTypeOf(e.type).toEqualTypeOf<'order.placed'>()
          expectTypeOf(e.position).toEqualTypeOf<bigint>()
        },
      },
    }),
  )
})

test('an event type that is not among its events is refused', () => {
  compile(() =>
    // @ts-expect-error: no event of that type
    processManager('typed', { ...base, on: { 'order.paid': () => null } }),
  )
  compile(() =>
    // @ts-expect-error: no event of that type
    processManager('typed', { ...base, starts: ['order.paid'], on: {} }),
  )
  compile(() =>
    // @ts-expect-error: no event of that type
    processManager('typed', { ...base, on: {}, evolve: { 'order.paid': (state) => state } }),
  )
})

test('a state that is none is refused', () => {
  compile(() =>
    processManager('typed', {
      ...base,
      on: {},
      // @ts-expect-error: text is no count
      evolve: { 'order.placed': () => ({ count: 'one' }) },
    }),
  )
})

test('commands are checked: decider, name, input and what undoes them', () => {
  compile(() => act.command(Payment, '1', 'charge', { orderId: '1', cents: 1 }))
  // @ts-expect-error: text is no amount
  compile(() => act.command(Payment, '1', 'charge', { orderId: '1', cents: 'one' }))
  // @ts-expect-error: no such command
  compile(() => act.command(Payment, '1', 'steal', { orderId: '1' }))
  // @ts-expect-error: the input is missing
  compile(() => act.command(Payment, '1', 'charge'))
  compile(() =>
    // @ts-expect-error: what ends a process undoes nothing
    act.command(Stock, '1', 'reserve', { orderId: '1', items: 1 }, { compensate: act.complete() }),
  )
  const Other = decider('other', {
    events: [event('other.done').v(1, z.object({}))],
    initial: () => 0,
    evolve: { 'other.done': (n) => n },
    commands: { go: () => [] },
  })
  // @ts-expect-error: not one of its deciders
  compile(() => act.command(Other, '1', 'go'))
})

test('timers are those that have an answer', () => {
  compile(() => [act.after('30m', 'too-late'), act.after(10, 'too-late'), act.cancel('too-late')])
  // @ts-expect-error: no such timer
  compile(() => act.after('30m', 'too-early'))
  // @ts-expect-error: no such timer
  compile(() => act.cancel('too-early'))
  // @ts-expect-error: no length of time
  compile(() => act.after('soon', 'too-late'))
  compile(() =>
    processManager('typed', {
      ...base,
      // @ts-expect-error: no such timer
      on: { 'order.placed': (_, __, inner) => inner.after('1s', 'later') },
      onTimer: { later2: () => null },
    }),
  )
  compile(() =>
    processManager('typed', {
      ...base,
      on: { 'order.placed': (_, __, inner) => inner.after('1s', 'later') },
      onTimer: { later: (state, inner) => (state.count > 3 ? null : inner.after('1s', 'later')) },
    }),
  )
})

test('a refusal is one of its deciders', () => {
  compile(() =>
    processManager('typed', {
      ...base,
      deciders: [Payment, Stock, Parcel],
      on: {},
      onRejected: (_, refused, inner) => {
        expectTypeOf(refused.command).toEqualTypeOf<'charge' | 'reserve'>()
        expectTypeOf(refused.code).toEqualTypeOf<'card-refused' | 'out-of-stock'>()
        if (refused.command === 'reserve') {
          expectTypeOf(refused.input).toEqualTypeOf<{ orderId: string; items: number }>()
          expectTypeOf(refused.details).toBeNull()
          return inner.fail(refused.code)
        }
        expectTypeOf(refused.details).toEqualTypeOf<{ readonly limit: 100_000 }>()
        // @ts-expect-error: it is never refused
        return refused.command === 'send' ? null : inner.complete()
      },
    }),
  )
  compile(() =>
    processManager('typed', {
      ...base,
      on: {},
      // @ts-expect-error: it never says so
      onRejected: (_, { code }) => (code === 'too-late' ? null : undefined),
    }),
  )
})

test('tests know what can happen', () => {
  expectTypeOf(act.complete()).toExtend<Action>()
  compile(() => given(fulfilment, OrderPlaced({ orderId: '1', cents: 1, items: 1 })))
  // @ts-expect-error: the process does not hear that
  compile(() => given(fulfilment, PaymentRefunded({ orderId: '1' })))
  compile(() => outcome.rejected(Payment, 'charge', 'card-refused', { limit: 100_000 }))
  // @ts-expect-error: it never says so
  compile(() => outcome.rejected(Payment, 'charge', 'too-late'))
  // @ts-expect-error: no such command
  compile(() => outcome.succeeded(Parcel, 'charge'))
})

test('the name is kept as a type', () => {
  expectTypeOf(fulfilment.name).toEqualTypeOf<'fulfilment'>()
})
