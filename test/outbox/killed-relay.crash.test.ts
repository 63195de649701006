import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createStore, type Store } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { isAvailable } from './relays/brokers/available-brokers.ts'
import { rabbitmqKind, rabbitmqUrl, startRabbitMQ } from './relays/brokers/rabbitmq-broker.ts'

const database = useDatabase()
const hasBroker = await isAvailable(rabbitmqKind)

let store: Store
beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
})
afterAll(() => store.close())

type Broker = Awaited<ReturnType<typeof startRabbitMQ>>

function start(relay: string, broker: Broker, dieAt?: string): ChildProcess {
  const url = new URL(rabbitmqUrl)
  url.port = String(broker.proxy.port)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'relaying-process.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: database.connectionString,
      BROKER_URL: url.href,
      EXCHANGE: broker.exchange,
      RELAY: relay,
      ...(dieAt === undefined ? {} : { DIE_AT: dieAt }),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

async function untilKilled(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
}

const keys = ['a', 'b', 'c']
let last = 0

/** Publishes so many numbers, under keys in turn. */
async function publish(count: number): Promise<void> {
  const numbers = Array.from({ length: count }, () => ++last)
  await store.publishMany(
    null,
    numbers.map((data) => ({ topic: 'crash.number', data, key: keys[data % 3] ?? null })),
  )
}

/** What came to the queue: the numbers of each key at their first coming, and how many came again. */
async function readQueue(broker: Broker) {
  const events = await broker.received()
  const ids = new Set<string>()
  const byKey: Record<string, unknown[]> = {}
  for (const { id, data, subject } of events) {
    if (ids.has(id)) continue
    ids.add(id)
    const key = String(subject)
    byKey[key] = [...(byKey[key] ?? []), data]
  }
  return { byKey, firsts: ids.size, again: events.length - ids.size }
}

const expected = () =>
  Object.fromEntries(
    keys.map((key, rest) => [
      key,
      Array.from({ length: last }, (_, n) => n + 1).filter((n) => n % 3 === rest),
    ]),
  )

const seed = Number(process.env.SEED ?? 20261122)

test.runIf(hasBroker)(
  `a relay that is killed after the broker has confirmed loses nothing and keeps the order of keys (SEED=${seed})`,
  { timeout: 240_000 },
  async () => {
    last = 0
    const random = seededRandom(seed)
    await using broker = await startRabbitMQ()
    const deaths = 5
    for (let death = 0; death < deaths; death += 1) {
      const child = start('killed', broker, `relay-confirmed ${random.between(1, 3)}`)
      await publish(30)
      await untilKilled(child)
    }
    await publish(6)
    start('killed', broker)
    await until(
      'all to have come',
      async (saw) => {
        const found = await readQueue(broker)
        saw(found)
        return found.firsts === last || undefined
      },
      { timeoutMs: 60_000 },
    )
    const { byKey, again } = await readQueue(broker)
    expect(byKey).toEqual(expected())
    // Of each death at most what was given at once; and some, or it has tried nothing.
    expect(again).toBeLessThanOrEqual(7 * deaths)
    expect(again).toBeGreaterThan(0)
  },
)

test.runIf(hasBroker)(
  'a relay that is killed while it retries parked messages publishes them again, in order',
  { timeout: 240_000 },
  async () => {
    last = 0
    await using broker = await startRabbitMQ()
    const relay = 'killed-retry'
    await database.pool.query('select tidemark.begin_relay($1, null)', [relay])
    await database.pool.query(
      /* sql */ `
      insert into tidemark.parked_messages
        (relay, position, message_id, topic, key, data, headers, recorded_at, is_retried)
      select $1, 1000000 + n, gen_random_uuid(), 'crash.number', (array['a', 'b', 'c'])[n % 3 + 1],
        to_jsonb(n), '{}', now(), true
      from generate_series(1, 20) as n`,
      [relay],
    )
    last = 20
    await untilKilled(start(relay, broker, 'retried-confirmed 1'))
    await untilKilled(start(relay, broker, 'retried-confirmed 2'))
    start(relay, broker)
    await until(
      'none to be parked',
      async (saw) => {
        const parked = await store.parked.messages({ relay })
        saw(parked)
        return parked.length === 0 || undefined
      },
      { timeoutMs: 60_000 },
    )
    const { byKey, again } = await readQueue(broker)
    expect(byKey).toEqual(expected())
    expect(again).toBe(14)
  },
)

test.runIf(hasBroker)(
  'a relay whose broker is down tries more and more rarely, and goes on by itself where it was',
  { timeout: 240_000 },
  async () => {
    last = 0
    await using broker = await startRabbitMQ()
    const relay = 'outage'
    await database.pool.query('select tidemark.begin_relay($1, null)', [relay])
    start(relay, broker)
    await publish(30)
    await until('the first to have come', async () => (await readQueue(broker)).firsts === 30)
    const statusOf = async () =>
      (await store.status()).subscriptions.find(({ name }) => name === relay)
    await until('its checkpoint', async () => (await statusOf())?.lag === 0n)
    broker.proxy.down()
    const begun = performance.now()
    await publish(30)
    const refusedBefore = broker.proxy.refused
    await until('it to be in trouble', async (saw) => {
      const status = await statusOf()
      saw(status)
      return (status?.troubledSince && status.state === 'active') || undefined
    })
    // Pauses of 100 ms that double, with half of it left to chance: eight attempts take 6 seconds at least.
    await until('some attempts', () => broker.proxy.refused - refusedBefore >= 8, {
      timeoutMs: 120_000,
    })
    const outageMs = performance.now() - begun
    expect(outageMs).toBeGreaterThan(5_000)
    expect((await statusOf())?.lag).toBe(30n)
    broker.proxy.heal()
    await until('the rest to have come', async () => (await readQueue(broker)).firsts === last, {
      timeoutMs: 60_000,
    })
    await until('it to be well', async () => {
      const status = await statusOf()
      return status?.lag === 0n && status.troubledSince === null
    })
    const { byKey, again } = await readQueue(broker)
    expect(byKey).toEqual(expected())
    // None had reached the broker when it went.
    expect(again).toBe(0)
  },
)
