import type { Transaction } from 'kysely'
import type pg from 'pg'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type Accepted,
  type DeciderStore,
  decider,
  event,
  type LoadedState,
  type NewEvent,
  type Refused,
  type Rejection,
  reject,
  type Token,
} from '../../src/index.ts'

const Placed = event('order.placed').v(1, z.object({ cents: z.int() }))
const Paid = event('order.paid').v(1, z.object({ by: z.string().default('cash') }))

type State = { readonly status: 'none' | 'open' | 'paid' }

const Order = decider('order', {
  events: [Placed, Paid],
  initial: (): State => ({ status: 'none' }),
  evolve: {
    'order.placed': () => ({ status: 'open' }),
    'order.paid': () => ({ status: 'paid' }),
  },
  commands: {
    place: (state, input: { cents: number }) => {
      if (state.status === 'paid') return reject('paid')
      return state.status === 'none' ? Placed(input) : reject('placed', { status: state.status })
    },
    pay: (_, by?: string) => [Paid(by === undefined ? {} : { by })],
    ping: () => [],
  },
})

type OrderEvent =
  | NewEvent<'order.placed', { cents: number }>
  | NewEvent<'order.paid', { by: string }>

const store = {} as DeciderStore
const client = {} as pg.PoolClient
const transaction = {} as Transaction<{ invoice: { id: string } }>

// Types only: nothing here is called.
test('execute gives the events of the decider, or the rejections of the command', () => {
  const place = () => store.execute(Order, '1', 'place', { cents: 1 })
  expectTypeOf(place).returns.resolves.toEqualTypeOf<
    | Accepted<OrderEvent>
    | Refused<Rejection<'paid', undefined> | Rejection<'placed', { readonly status: 'open' }>>
  >()
  expectTypeOf<Accepted<OrderEvent>>().toEqualTypeOf<{
    readonly ok: true
    readonly events: readonly OrderEvent[]
    readonly version: bigint
    readonly token: Token | null
    readonly replayed: boolean
  }>()
})

test('execute cannot be refused by a command that never rejects', () => {
  const pay = () => store.execute(Order, '1', 'pay')
  expectTypeOf(pay).returns.resolves.toEqualTypeOf<Accepted<OrderEvent>>()
  const ping = () => store.execute(Order, '1', 'ping')
  expectTypeOf(ping).returns.resolves.toEqualTypeOf<Accepted<OrderEvent>>()
})

test('execute tells rejections apart by their codes', () => {
  const explain = async () => {
    const result = await store.execute(Order, '1', 'place', { cents: 1 })
    if (result.ok) return result.events.length
    return result.rejection.code === 'placed' ? result.rejection.details.status : null
  }
  expectTypeOf(explain).returns.resolves.toEqualTypeOf<number | 'open' | null>()
})

test('execute takes options after the input, or where there is none', () => {
  const accepted = () => [
    store.execute(Order, '1', 'place', { cents: 1 }, { key: 'request-1' }),
    store.execute(Order, '1', 'place', { cents: 1 }, { tx: client }),
    store.execute(Order, '1', 'pay', 'card', { tx: transaction }),
    store.execute(Order, '1', 'pay', undefined, { maxAttempts: 1 }),
    store.execute(Order, '1', 'ping', undefined, { causedBy: { id: 'request-1' } }),
  ]
  expectTypeOf(accepted).returns.toBeArray()
})

test('execute refuses commands, inputs and options that are none', () => {
  const refused = () => {
    // @ts-expect-error the decider has no such command
    void store.execute(Order, '1', 'cancel')
    // @ts-expect-error the command has an input
    void store.execute(Order, '1', 'place')
    // @ts-expect-error the input is another
    void store.execute(Order, '1', 'place', { total: 1 })
    // @ts-expect-error a property is of another type
    void store.execute(Order, '1', 'place', { cents: '1' })
    // @ts-expect-error the command has no input
    void store.execute(Order, '1', 'ping', { cents: 1 })
    // @ts-expect-error the option is called `key`
    void store.execute(Order, '1', 'place', { cents: 1 }, { idempotencyKey: 'request-1' })
    // @ts-expect-error the version is what the store has loaded, not the caller's to expect
    void store.execute(Order, '1', 'place', { cents: 1 }, { expect: 1n })
    // @ts-expect-error an id is a text
    void store.execute(Order, 1, 'place', { cents: 1 })
    // @ts-expect-error a decider is not named by a text
    void store.execute('order', '1', 'place', { cents: 1 })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('load gives the state of the decider and its version', () => {
  const load = () => store.load(Order, '1')
  expectTypeOf(load).returns.resolves.toEqualTypeOf<LoadedState<State>>()
  expectTypeOf<LoadedState<State>>().toEqualTypeOf<{
    readonly state: State
    readonly version: bigint
  }>()
})

test('load takes one moment, and a transaction', () => {
  const accepted = () => [
    store.load(Order, '1', { version: 1n }),
    store.load(Order, '1', { position: 1n, tx: client }),
    store.load(Order, '1', { at: new Date(), tx: transaction }),
  ]
  expectTypeOf(accepted).returns.toEqualTypeOf<Promise<LoadedState<State>>[]>()
})

test('load refuses two moments, and moments of another kind', () => {
  const refused = () => {
    // @ts-expect-error at most one moment
    void store.load(Order, '1', { version: 1n, position: 1n })
    // @ts-expect-error at most one moment
    void store.load(Order, '1', { version: 1n, at: new Date() })
    // @ts-expect-error versions are bigints
    void store.load(Order, '1', { version: 1 })
    // @ts-expect-error positions are bigints
    void store.load(Order, '1', { position: '1' })
    // @ts-expect-error a time is a date
    void store.load(Order, '1', { at: '2026-11-21' })
    // @ts-expect-error the option is called `at`
    void store.load(Order, '1', { asOf: new Date() })
    // @ts-expect-error the state has no such property
    void store.load(Order, '1').then(({ state }) => state.total)
  }
  expectTypeOf(refused).returns.toBeVoid()
})
