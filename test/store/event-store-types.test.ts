import type { Kysely, Transaction } from 'kysely'
import type pg from 'pg'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type AppendCondition,
  type AppendResult,
  type EventStore,
  type Expectation,
  event,
  type QueryResult,
  type QueryToken,
  type RecordedEvent,
  type Rejection,
  reject,
  type StreamAppend,
  type Token,
} from '../../src/index.ts'

const Placed = event('order.placed').v(1, z.object({ cents: z.int() }))
const Paid = event('order.paid').v(1, z.object({ by: z.string() }))

type Definitions = typeof Placed | typeof Paid
type Recorded =
  | RecordedEvent<'order.placed', { cents: number }>
  | RecordedEvent<'order.paid', { by: string }>

const store = {} as EventStore<Definitions>
const client = {} as pg.PoolClient
const kysely = {} as Kysely<{ invoice: { id: string } }>
const transaction = {} as Transaction<{ invoice: { id: string } }>
const queryToken = {} as QueryToken

// Types only: nothing here is called.
const placed = () => Placed({ cents: 1 })

test('append gives the result of one stream', () => {
  const append = () => store.append('order-1', placed())
  expectTypeOf(append).returns.resolves.toEqualTypeOf<AppendResult>()
  expectTypeOf<AppendResult>().toEqualTypeOf<{
    readonly streamId: string
    readonly version: bigint
    readonly token: Token
    readonly replayed: boolean
  }>()
})

test('append takes one event or several, every expectation, and whatever transaction', () => {
  const accepted = () => [
    store.append('order-1', [placed(), Paid({ by: 'card' })]),
    store.append('order-1', [] as const),
    store.append('order-1', placed(), { expect: 'any' }),
    store.append('order-1', placed(), { expect: 'absent' }),
    store.append('order-1', placed(), { expect: 'present' }),
    store.append('order-1', placed(), { expect: 3n }),
    store.append('order-1', placed(), { tx: client }),
    store.append('order-1', placed(), { tx: kysely }),
    store.append('order-1', placed(), { tx: transaction, key: 'request-1' }),
    store.append('order-1', placed(), { signal: new AbortController().signal }),
    store.append('order-1', placed(), { causedBy: {} as Recorded, metadata: { userId: 'u' } }),
    store.append('order-1', placed(), { causedBy: { id: 'request-1' } }),
    store.append('order-1', placed(), { condition: { query: { tags: ['a'] }, after: queryToken } }),
  ]
  expectTypeOf(accepted).returns.toEqualTypeOf<Promise<AppendResult>[]>()
  expectTypeOf<Expectation>().toEqualTypeOf<'any' | 'absent' | 'present' | bigint>()
})

test('append refuses what is no event', () => {
  const refused = () => {
    // @ts-expect-error the data of an event is not an event
    void store.append('order-1', { cents: 1 })
    // @ts-expect-error a definition is not an event
    void store.append('order-1', Placed)
    // @ts-expect-error an event has a schema version: its definition gives it
    void store.append('order-1', { type: 'order.placed', data: { cents: 1 } })
    // @ts-expect-error one of them is not an event
    void store.append('order-1', [placed(), 'order.paid'])
    // @ts-expect-error the data is another
    void store.append('order-1', Placed({ total: 1 }))
    // @ts-expect-error there are no events
    void store.append('order-1')
    // @ts-expect-error the stream comes first
    void store.append(placed(), 'order-1')
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('append refuses expectations and options that are none', () => {
  const refused = () => {
    // @ts-expect-error versions are bigints
    void store.append('order-1', placed(), { expect: 3 })
    // @ts-expect-error no such word
    void store.append('order-1', placed(), { expect: 'none' })
    // @ts-expect-error the option is called `expect`
    void store.append('order-1', placed(), { expected: 3n })
    // @ts-expect-error the option is called `tx`
    void store.append('order-1', placed(), { transaction: client })
    // @ts-expect-error a key is a text
    void store.append('order-1', placed(), { key: 1 })
    // @ts-expect-error a connection string is no transaction
    void store.append('order-1', placed(), { tx: 'postgres://localhost' })
    // @ts-expect-error a cause has an id
    void store.append('order-1', placed(), { causedBy: { correlationId: 'c' } })
    // @ts-expect-error metadata is JSON
    void store.append('order-1', placed(), { metadata: { at: new Date() } })
    // @ts-expect-error a condition has a query
    void store.append('order-1', placed(), { condition: { after: queryToken } })
    // @ts-expect-error the token of a read is a text, not a position
    void store.append('order-1', placed(), { condition: { query: { tags: ['a'] }, after: 3n } })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('appendMany gives a result for each stream, and takes an expectation for each', () => {
  const appends = [
    { streamId: 'order-1', events: [placed()], expect: 'absent' },
    { streamId: 'order-2', events: [Paid({ by: 'card' })] },
  ] as const
  const appendMany = () => store.appendMany(appends, { tx: client, key: 'request-1' })
  expectTypeOf(appendMany).returns.resolves.toEqualTypeOf<readonly AppendResult[]>()
  expectTypeOf(appends).toExtend<readonly StreamAppend[]>()
})

test('appendMany refuses what is no append, and an expectation for all', () => {
  const refused = () => {
    // @ts-expect-error each stream has its own expectation
    void store.appendMany([{ streamId: 'order-1', events: [placed()] }], { expect: 'any' })
    // @ts-expect-error events are a list
    void store.appendMany([{ streamId: 'order-1', events: placed() }])
    // @ts-expect-error an append names its stream
    void store.appendMany([{ events: [placed()] }])
    // @ts-expect-error the property is called `streamId`
    void store.appendMany([{ stream: 'order-1', events: [placed()] }])
    // @ts-expect-error versions are bigints
    void store.appendMany([{ streamId: 'order-1', events: [placed()], expect: 1 }])
    // @ts-expect-error appends are a list
    void store.appendMany({ streamId: 'order-1', events: [placed()] })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('readQuery gives events as the union of the definitions, and a token for a condition', () => {
  const read = () => store.readQuery([{ types: ['order.paid'] }, { tags: ['a'] }], { tx: client })
  expectTypeOf(read).returns.resolves.toEqualTypeOf<QueryResult<Recorded>>()
  expectTypeOf<QueryResult<Recorded>['events']>().toEqualTypeOf<readonly Recorded[]>()
  expectTypeOf<QueryResult>().toHaveProperty('token').toEqualTypeOf<QueryToken>()
  expectTypeOf<QueryToken>().toExtend<NonNullable<AppendCondition['after']>>()
})

test('the tokens of a read and of an append are not each other', () => {
  expectTypeOf<QueryToken>().not.toExtend<Token>()
  expectTypeOf<Token>().not.toExtend<QueryToken>()
})

test('readQuery refuses what is no query', () => {
  const refused = () => {
    // @ts-expect-error tags are a list
    void store.readQuery({ tags: 'a' })
    // @ts-expect-error the property is called `types`
    void store.readQuery({ type: ['order.paid'] })
    // @ts-expect-error items are not wrapped
    void store.readQuery({ items: [{ tags: ['a'] }] })
    // @ts-expect-error there is no such option
    void store.readQuery({ tags: ['a'] }, { maxEvents: 1 })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('decide hands over events as the union of the definitions', () => {
  const decide = () =>
    store.decide({ tags: ['a'] }, (events) => {
      expectTypeOf(events).toEqualTypeOf<readonly Recorded[]>()
      return null
    })
  expectTypeOf(decide).returns.resolves.toEqualTypeOf<{
    readonly ok: true
    readonly appended: readonly AppendResult[]
  }>()
})

test('decide gives the rejections that it may return, with their details', () => {
  const decide = () =>
    store.decide({ tags: ['a'] }, (events) => {
      if (events.length === 0) return reject('empty')
      if (events.length > 9) return reject('full', { capacity: 9 })
      return { streamId: 'order-1', events: [placed()] }
    })
  expectTypeOf(decide).returns.resolves.toEqualTypeOf<
    | { readonly ok: true; readonly appended: readonly AppendResult[] }
    | {
        readonly ok: false
        readonly rejection:
          | Rejection<'empty', undefined>
          | Rejection<'full', { readonly capacity: 9 }>
      }
  >()
})

test('decide takes appends to several streams, at once or later', () => {
  const one = { streamId: 'order-1', events: [placed()], expect: 'any' } as const
  const accepted = () => [
    store.decide({ tags: ['a'] }, () => [one, { ...one, streamId: 'order-2' }]),
    store.decide({ tags: ['a'] }, async () => one),
    store.decide({ tags: ['a'] }, () => one, { tx: transaction, key: 'k', maxAttempts: 3 }),
  ]
  expectTypeOf(accepted).returns.items.resolves.toEqualTypeOf<{
    readonly ok: true
    readonly appended: readonly AppendResult[]
  }>()
})

test('decide refuses decisions and options that are none', () => {
  const refused = () => {
    // @ts-expect-error nothing is null
    void store.decide({ tags: ['a'] }, () => undefined)
    // @ts-expect-error versions are bigints
    void store.decide({ tags: ['a'] }, () => ({ streamId: 'a', events: [placed()], expect: 1 }))
    // @ts-expect-error events need a stream
    void store.decide({ tags: ['a'] }, () => [placed()])
    // @ts-expect-error a refusal is made by `reject`
    void store.decide({ tags: ['a'] }, () => ({ rejection: 'full' }))
    // @ts-expect-error no event has such data
    void store.decide({ tags: ['a'] }, (events) => (events[0]?.data.euros ? null : null))
    // @ts-expect-error the condition is that of the query
    void store.decide({ tags: ['a'] }, () => null, { condition: { query: { tags: ['a'] } } })
    // @ts-expect-error the option is called `maxAttempts`
    void store.decide({ tags: ['a'] }, () => null, { attempts: 3 })
  }
  expectTypeOf(refused).returns.toBeVoid()
})
