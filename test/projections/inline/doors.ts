import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import type { NewEvent } from '../../../src/core/event.ts'
import { transaction } from '../../../src/db/transaction.ts'
import type { Store } from '../../../src/index.ts'
import { Added, Removed } from '../levels.ts'

/** One call that appends, by one of the ways into the log. */
export interface Call {
  readonly door: Door
  readonly streamId: string
  readonly events: readonly (NewEvent & { readonly id: string })[]
}

/** What came of a call. Its events are in the log, all or none. */
export interface Outcome {
  readonly call: Call
  /** Events of it that have to be in the log; none when it was refused, or rolled back. */
  readonly written: readonly string[]
  readonly code: string | undefined
}

type Way = (store: Store, pool: pg.Pool, call: Call) => Promise<unknown>

class RolledBack extends Error {
  readonly code = 'rolled back'
}

const ways = {
  append: (store, _, { streamId, events }) => store.append(streamId, events),
  'append under a key': async (store, _, { streamId, events }) => {
    const key = randomUUID()
    await Promise.all([0, 1].map(() => store.append(streamId, events, { key })))
    await store.append(streamId, events, { key })
  },
  'append to a version that is not there': (store, _, { streamId, events }) =>
    store.append(streamId, events, { expect: 1_000_000n }),
  'append to many': (store, _, call) => store.appendMany(spread(call)),
  'append under a condition': (store, _, { streamId, events }) =>
    store.append(streamId, events, { condition: { query: [{ tags: ['nobody-has-it'] }] } }),
  decide: (store, _, { streamId, events }) =>
    store.decide([{ tags: ['nobody-has-it'] }], () => ({ streamId, events })),
  import: (store, _, { streamId, events }) =>
    store.importEvents(
      events.map((event) => ({ streamId: `imported-${streamId}`, event })),
      { key: randomUUID(), batchSize: 10 },
    ),
  'a transaction': (store, pool, call) => transaction(pool, (tx) => appendHalves(store, tx, call)),
  'a Kysely transaction': (store, pool, { streamId, events }) =>
    new Kysely<never>({ dialect: new PostgresDialect({ pool }) })
      .transaction()
      .setIsolationLevel('read committed')
      .execute((tx) => store.append(streamId, events, { tx })),
  'a transaction that is rolled back': (store, pool, call) =>
    transaction(pool, async (tx) => {
      await appendHalves(store, tx, call)
      throw new RolledBack()
    }),
  'a savepoint that is rolled back': (store, pool, call) =>
    transaction(pool, async (tx) => {
      await tx.query('savepoint before')
      await appendHalves(store, tx, call)
      await tx.query('rollback to before')
      throw new RolledBack()
    }),
  'a transaction, once more after a savepoint': (store, pool, call) =>
    transaction(pool, async (tx) => {
      await tx.query('savepoint before')
      await appendHalves(store, tx, call)
      await tx.query('rollback to before')
      await appendHalves(store, tx, call)
    }),
  'SQL before an append': (store, pool, { streamId, events: [first, ...rest] }) =>
    transaction(pool, async (tx) => {
      if (first !== undefined) await insert(tx, streamId, [first])
      await store.append(streamId, [...rest, extra()], { tx })
    }),
  'SQL before a replay': (store, pool, { streamId, events }) =>
    transaction(pool, async (tx) => {
      const [key, event] = [randomUUID(), extra()]
      await store.append(`replayed-${streamId}`, event, { key })
      await insert(tx, streamId, events)
      await store.append(`replayed-${streamId}`, event, { key, tx }).catch(() => {})
    }),
  'SQL alone': (_, pool, { streamId, events }) => insert(pool, streamId, events),
  'SQL that inserts rows': (_, pool, { streamId, events }) =>
    transaction(pool, async (tx) => {
      for (const { id, type, data } of events) {
        await tx.query(
          `insert into tidemark.events (stream_id, version, event_id, type, data)
           values ($1, 1, $2, $3, $4)`,
          [`row-${streamId}-${id}`, id, type, data],
        )
      }
    }),
} satisfies Record<string, Way>

export type Door = keyof typeof ways

/** Those by which nothing comes in while a projection is inline. */
export const sideDoors: readonly Door[] = [
  'SQL before a replay',
  'SQL alone',
  'SQL that inserts rows',
]

/** Those by which nothing comes in at all. */
export const closedDoors: readonly Door[] = [
  'append to a version that is not there',
  'a transaction that is rolled back',
  'a savepoint that is rolled back',
]

/** Carries out a call, and says what has to be in the log. */
export async function carryOut(store: Store, pool: pg.Pool, call: Call): Promise<Outcome> {
  try {
    await ways[call.door](store, pool, call)
    return { call, written: call.events.map(({ id }) => id), code: undefined }
  } catch (error) {
    return { call, written: [], code: (error as { code?: string }).code ?? String(error) }
  }
}

let amounts = 0

function nextAmount(): number {
  amounts += 1
  return amounts
}

/** Of no call: not looked for. */
function extra(): NewEvent {
  return Added({ key: 'a', amount: nextAmount() })
}

function spread({ streamId, events: [first, ...rest] }: Call) {
  const all = [
    { streamId, events: first === undefined ? [] : [first] },
    { streamId: `other-${streamId}`, events: rest },
  ]
  return all.filter(({ events }) => events.length > 0)
}

async function appendHalves(store: Store, tx: pg.PoolClient, { streamId, events }: Call) {
  const middle = Math.ceil(events.length / 2)
  for (const [half, suffix] of [
    [events.slice(0, middle), 'a'],
    [events.slice(middle), 'b'],
  ] as const) {
    if (half.length > 0) await store.append(`${streamId}-${suffix}`, half, { tx })
  }
}

function insert(connection: pg.Pool | pg.PoolClient, streamId: string, events: Call['events']) {
  return connection.query("select tidemark.append($1, 'any', $2)", [
    streamId,
    JSON.stringify(events.map(({ id, type, data }) => ({ id, type, data }))),
  ])
}

export const arbitraryCall: fc.Arbitrary<Call> = fc
  .record({
    door: fc.constantFrom(...(Object.keys(ways) as Door[])),
    streamId: fc.constantFrom('s-1', 's-2', 's-3'),
    changes: fc.array(
      fc.record({
        define: fc.constantFrom(Added, Removed),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ changes, ...call }) => ({
    ...call,
    events: changes.map(({ define, key }) => ({
      ...define({ key, amount: nextAmount() }),
      id: randomUUID(),
    })),
  }))
