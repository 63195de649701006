import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Kysely, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  createStore,
  event,
  type OpenPublisher,
  type Relay,
  type Route,
  relay,
  route,
  runWorker,
  type Store,
  topic,
} from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { FakeBroker } from './fake-broker.ts'

const database = useDatabase()
const Placed = event('order.placed').v(
  1,
  z.object({ orderId: z.string(), cents: z.int(), card: z.string() }),
)
const Noted = event('order.noted').v(1, z.object({ secret: z.string() }))
const PublicPlaced = topic('orders.order.placed', z.object({ orderId: z.string(), cents: z.int() }))

let store: Store
let names = 0

beforeAll(async () => {
  store = await createStore({
    connectionString: database.connectionString,
    events: [Placed, Noted],
  })
})

afterAll(async () => {
  await store.close()
  await dropLogSlots(database.connectionString)
})

function newName(): string {
  names += 1
  return `relay-${names}`
}

function startWorker(relays: readonly Relay[], routes: readonly Route[] = []) {
  const worker = inBackground((signal) =>
    runWorker({ connectionString: database.connectionString, relays, routes, seal: false }, signal),
  )
  onTestFinished(() => worker.stop())
  return worker
}

async function statusOf(name: string) {
  return (await store.status()).subscriptions.find((one) => one.name === name)
}

/** Publishes numbers under keys. */
async function publishNumbers(area: string, count: number, keys: readonly string[]) {
  await store.publishMany(
    null,
    Array.from({ length: count }, (_, n) => ({
      topic: `${area}.number`,
      data: n,
      key: keys[n % keys.length] ?? null,
    })),
  )
}

const numbers = (count: number, rest: number, keys: number) =>
  Array.from({ length: count }, (_, n) => n).filter((n) => n % keys === rest)

/** Posts each message to a server of its own, and remembers what came there. */
async function startReceiver() {
  const received: { topic: string; data: unknown; key: string | null }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push(JSON.parse(Buffer.concat(chunks).toString()))
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const open: OpenPublisher = async () => ({
    publish: async (messages, signal) => {
      for (const { topic, data, key } of messages) {
        const body = JSON.stringify({ topic, data, key })
        const answer = await fetch(url, { method: 'POST', body, signal })
        if (!answer.ok) throw new Error(`status ${answer.status}`)
      }
    },
    [Symbol.asyncDispose]: async () => {},
  })
  return { received, open }
}

test('what was published with the caller’s transaction reaches a server, and what was rolled back does not', async () => {
  const receiver = await startReceiver()
  const name = newName()
  startWorker([relay(name, { topics: ['shop.#'], to: receiver.open, from: 'start' })])
  const db = new Kysely<{ orders: { id: string } }>({
    dialect: new PostgresDialect({ pool: database.pool }),
  })
  await database.pool.query('create table orders (id text)')
  const placeOrder = (id: string, fails: boolean) =>
    db.transaction().execute(async (tx) => {
      await tx.insertInto('orders').values({ id }).execute()
      await store.publish(tx, 'shop.order.placed', { id }, { key: id })
      if (fails) throw new Error('no')
    })
  await expect(placeOrder('lost', true)).rejects.toThrow('no')
  await placeOrder('kept', false)
  const client = await database.client()
  await client.query('begin')
  await store.publish(client, 'shop.order.paid', { id: 'kept' }, { key: 'kept' })
  await client.query('commit')
  await database.pool.query(
    `select tidemark.publish('shop.order.shipped', '{"id": "kept"}', 'kept')`,
  )
  await until('three messages', (saw) => {
    saw(receiver.received)
    return receiver.received.length >= 3 || undefined
  })
  expect(receiver.received).toEqual([
    { topic: 'shop.order.placed', data: { id: 'kept' }, key: 'kept' },
    { topic: 'shop.order.paid', data: { id: 'kept' }, key: 'kept' },
    { topic: 'shop.order.shipped', data: { id: 'kept' }, key: 'kept' },
  ])
})

test('a trigger of a table publishes by SQL alone', async () => {
  const broker = new FakeBroker()
  startWorker([relay(newName(), { topics: ['legacy.*'], to: broker.open, from: 'start' })])
  await database.pool.query(/* sql */ `
    create table invoices (id integer, cents integer);
    create function publish_invoice() returns trigger language plpgsql as $$
      begin
        perform tidemark.publish('legacy.invoice', jsonb_build_object('id', new.id), new.id::text);
        return null;
      end $$;
    create trigger t after insert on invoices for each row execute function publish_invoice();
    insert into invoices values (1, 10), (2, 20)`)
  await until('both invoices', () => broker.taken.length >= 2 || undefined)
  expect(broker.taken.map(({ key, data }) => [key, data])).toEqual([
    ['1', { id: 1 }],
    ['2', { id: 2 }],
  ])
})

describe('a route', () => {
  test('publishes each event once, in its public shape and nothing else', async () => {
    const broker = new FakeBroker()
    const name = newName()
    const routing = route(`${name}-route`, {
      events: [Placed, Noted],
      from: 'start',
      on: {
        'order.placed': ({ data: { orderId, cents } }) => [
          PublicPlaced({ orderId, cents }),
          ...(cents > 100 ? [{ topic: 'orders.large', data: cents, key: null }] : []),
        ],
      },
    })
    const stream = `order-${randomUUID()}`
    await store.append(stream, [
      Placed({ orderId: 'a', cents: 50, card: '4111' }, { metadata: { correlationId: 'c-1' } }),
      Noted({ secret: 'internal' }),
      Placed({ orderId: 'b', cents: 500, card: '4222' }),
    ])
    const worker = startWorker(
      [relay(name, { topics: ['orders.#'], to: broker.open, from: 'start' })],
      [routing],
    )
    await until('three messages', () => broker.taken.length >= 3 || undefined)
    await worker.stop()
    const second = startWorker([], [routing])
    await store.append(stream, Placed({ orderId: 'c', cents: 1, card: '4333' }))
    const last = await store.append(stream, Noted({ secret: 'again' }))
    await store.waitFor(last.token, routing)
    const { rows } = await database.pool.query(
      `select topic, key, data, headers, message_id from tidemark.outbox
       where topic like 'orders.%' order by insert_id`,
    )
    expect(rows.map((row) => [row.topic, row.key, row.data])).toEqual([
      ['orders.order.placed', stream, { orderId: 'a', cents: 50 }],
      ['orders.order.placed', stream, { orderId: 'b', cents: 500 }],
      ['orders.large', null, 500],
      ['orders.order.placed', stream, { orderId: 'c', cents: 1 }],
    ])
    const { rows: events } = await database.pool.query(
      'select event_id from tidemark.events where stream_id = $1 order by version',
      [stream],
    )
    expect(rows[0].headers).toEqual({ correlationId: 'c-1', causationId: events[0].event_id })
    expect(rows[1].headers).toEqual({
      correlationId: events[2].event_id,
      causationId: events[2].event_id,
    })

    // Another time by the same route: the same ids, by which receivers know them.
    await second.stop()
    await database.pool.query('update tidemark.subscriptions set position = 0 where name = $1', [
      routing.name,
    ])
    startWorker([], [routing])
    await until('the messages again', async () => {
      const again = await database.pool.query(
        `select message_id from tidemark.outbox where topic like 'orders.%' order by insert_id`,
      )
      if (again.rows.length < 8) return undefined
      expect(again.rows.slice(4)).toEqual(again.rows.slice(0, 4))
      return true
    })
  })

  test('stands still at an event whose mapping throws, and publishes nothing of it', async () => {
    const name = newName()
    const routing = route(name, {
      events: [Placed],
      on: {
        'order.placed': () => {
          throw new Error('not mapped')
        },
      },
    })
    startWorker([], [routing])
    await until('its checkpoint', async () => (await statusOf(name)) && true)
    await store.append('order-unmapped', Placed({ orderId: 'x', cents: 1, card: '4' }))
    const failed = await until('it to fail', async (saw) => {
      const status = await statusOf(name)
      saw(status)
      return status?.state === 'failed' ? status : undefined
    })
    expect(failed.error).toContain('not mapped')
  })
})

describe('a relay', () => {
  test('keeps trying while its broker is down, says since when, and loses nothing', async () => {
    const broker = new FakeBroker()
    broker.isDown = true
    const name = newName()
    startWorker([
      relay(name, { topics: ['down.#'], to: broker.open, from: 'start', maxInFlight: 7 }),
    ])
    const before = Date.now()
    await publishNumbers('down', 50, ['a', 'b'])
    const troubled = await until('the trouble to show', async (saw) => {
      const status = await statusOf(name)
      saw(status)
      return status?.troubledSince ? status : undefined
    })
    expect(troubled.error).toContain('the broker is down')
    expect(troubled.state).toBe('active')
    expect(troubled.troubledSince?.getTime()).toBeGreaterThan(before - 60_000)
    broker.isDown = false
    await until('all messages', () => broker.taken.length >= 50 || undefined)
    expect(broker.numbers()).toEqual({ a: numbers(50, 0, 2), b: numbers(50, 1, 2) })
    await until(
      'it to be well',
      async () => (await statusOf(name))?.troubledSince === null || undefined,
    )
    expect(Math.max(...broker.batches)).toBeLessThanOrEqual(7)
  })

  test('publishes a batch again that was cut off, in the same order', async () => {
    const broker = new FakeBroker()
    broker.cutAfter = 13
    startWorker([relay(newName(), { topics: ['cut.#'], to: broker.open, from: 'start' })])
    await publishNumbers('cut', 30, ['a', 'b', 'c'])
    await until('all messages', () => broker.taken.length >= 43 || undefined)
    expect(broker.taken.length).toBe(43)
    expect(broker.numbers()).toEqual({
      a: numbers(30, 0, 3),
      b: numbers(30, 1, 3),
      c: numbers(30, 2, 3),
    })
  })

  test('goes on after a restart where it was, and closes its publisher', async () => {
    const broker = new FakeBroker()
    const name = newName()
    const definition = relay(name, { topics: ['again.#'], to: broker.open, from: 'start' })
    const first = startWorker([definition])
    await publishNumbers('again', 10, ['a'])
    await until('the first', () => broker.taken.length >= 10 || undefined)
    await until('its checkpoint', async () => (await statusOf(name))?.lag === 0n || undefined)
    await first.stop()
    expect(broker.closed).toBe(1)
    await publishNumbers('again', 5, ['a'])
    startWorker([definition])
    await until('the rest', () => broker.taken.length >= 15 || undefined)
    expect(broker.taken.map(({ data }) => data)).toEqual([
      ...numbers(10, 0, 1),
      ...numbers(5, 0, 1),
    ])
  })

  test('begins with what is published from now on, unless it says otherwise', async () => {
    const [now, all] = [new FakeBroker(), new FakeBroker()]
    await publishNumbers('begin', 3, ['a'])
    const names = [newName(), newName()] as const
    const first = startWorker([])
    await until(
      'positions',
      async () => (await store.status()).outbox.unsequenced === 0 || undefined,
    )
    await first.stop()
    startWorker([
      relay(names[0], { topics: ['begin.#'], to: now.open }),
      relay(names[1], { topics: ['begin.#'], to: all.open, from: 'start' }),
    ])
    await until(
      'both',
      async () => (await statusOf(names[0])) && (await statusOf(names[1])) && true,
    )
    await publishNumbers('begin', 2, ['a'])
    await until('all', () => (all.taken.length >= 5 && now.taken.length >= 2) || undefined)
    expect(now.taken.map(({ data }) => data)).toEqual([0, 1])
    expect(all.taken.map(({ data }) => data)).toEqual([0, 1, 2, 0, 1])
  })

  test('stops in front of a message that is refused, and says why', async () => {
    const broker = new FakeBroker()
    broker.isRefused = ({ data }) => data === 4
    const name = newName()
    const definition = relay(name, { topics: ['stop.#'], to: broker.open, from: 'start' })
    const first = startWorker([definition])
    await publishNumbers('stop', 8, ['a', 'b'])
    const failed = await until('it to stop', async () => {
      const status = await statusOf(name)
      return status?.state === 'failed' ? status : undefined
    })
    expect(failed.error).toContain('not wanted')
    expect(new Set(broker.taken.map(({ data }) => data))).toEqual(new Set([0, 1, 2, 3]))
    await first.stop()
    broker.isRefused = () => false
    startWorker([definition])
    await until('the rest', () => broker.numbers().b?.length === 4 || undefined)
    expect(broker.numbers()).toEqual({ a: [0, 2, 4, 6], b: [1, 3, 5, 7] })
  })

  test('parks a message that is refused with all later ones of its key', async () => {
    const broker = new FakeBroker()
    broker.isRefused = ({ data }) => data === 2
    const name = newName()
    const definition = relay(name, {
      topics: ['park.#'],
      to: broker.open,
      from: 'start',
      onRefused: 'park',
      maxInFlight: 3,
    })
    const first = startWorker([definition])
    await publishNumbers('park', 10, ['a', 'b'])
    await until('it to pass them', async (saw) => {
      const status = await statusOf(name)
      saw(status)
      return status?.parked === 4 || undefined
    })
    await until('the others', () => broker.numbers().b?.length === 5 || undefined)
    expect(broker.numbers()).toEqual({ a: [0], b: [1, 3, 5, 7, 9] })
    await first.stop()
    // It knows of them after a restart.
    startWorker([definition])
    await publishNumbers('park', 2, ['a', 'b'])
    await until('the next one of the key', async () => {
      return (await statusOf(name))?.parked === 5 || undefined
    })
    expect(broker.numbers().a).toEqual([0])
  })

  test('is run by one of several workers, and by another when that ends', async () => {
    const broker = new FakeBroker()
    const name = newName()
    const definition = relay(name, { topics: ['many.#'], to: broker.open, from: 'start' })
    const [first] = [startWorker([definition]), startWorker([definition])]
    await publishNumbers('many', 20, ['a'])
    await until('the first', () => broker.taken.length >= 20 || undefined)
    await until('its checkpoint', async () => (await statusOf(name))?.lag === 0n || undefined)
    await first?.stop()
    await publishNumbers('many', 20, ['a'])
    await until('the rest', () => broker.taken.length >= 40 || undefined)
    expect(broker.taken.length).toBe(40)
  })
})
