import fc from 'fast-check'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createStore, type Relay, relay, runWorker, type Store } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { FakeBroker } from './fake-broker.ts'

const database = useDatabase()

let store: Store
let names = 0

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
})

afterAll(async () => {
  await store.close()
  await dropLogSlots(database.connectionString)
})

/** A relay of its own, which parks what its broker refuses. */
function makeRelay(options: { readonly maxInFlight?: number } = {}) {
  names += 1
  const name = `parking-${names}`
  const broker = new FakeBroker()
  const definition = relay(name, {
    ...options,
    topics: [`t${names}`],
    to: broker.open,
    from: 'start',
    onRefused: 'park',
  })
  return { name, topic: `t${names}`, broker, definition }
}

function startWorker(definition: Relay, options: { readonly pollIntervalMs?: number } = {}) {
  const { connectionString } = database
  const worker = inBackground((signal) =>
    runWorker({ connectionString, relays: [definition], seal: false, ...options }, signal),
  )
  onTestFinished(() => worker.stop())
  return worker
}

/** Publishes numbers under keys; without a key where that is empty. */
async function publish(topic: string, ...messages: readonly (readonly [string, number])[]) {
  await store.publishMany(
    null,
    messages.map(([key, data]) => ({ topic, data, key: key === '' ? null : key })),
  )
}

async function statusOf(name: string) {
  return (await store.status()).subscriptions.find((one) => one.name === name)
}

const untilParked = (name: string, count: number) =>
  until(`${count} to be parked`, async (saw) => {
    const status = await statusOf(name)
    saw(status)
    return (status?.parked === count && status.lag === 0n) || undefined
  })

const parkedNumbers = async (name: string) =>
  (await store.parked.messages({ relay: name })).map(({ data }) => data)

test('messages that are retried go out before all later ones of their key, in their order', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = ({ data }) => data === 2
  startWorker(definition)
  await publish(topic, ['a', 1], ['a', 2], ['b', 10], ['a', 3], ['a', 4])
  await untilParked(name, 3)
  await publish(topic, ['a', 5], ['b', 11])
  await untilParked(name, 4)
  expect(broker.numbers()).toEqual({ a: [1], b: [10, 11] })

  const [key, ...others] = await store.parked.messageKeys({ relay: name })
  expect(others).toEqual([])
  expect(key).toMatchObject({
    kind: 'relay',
    name,
    key: 'a',
    messages: 4,
    retried: 0,
    first: { topic, attempts: 1, error: { code: 'MESSAGE_REFUSED' }, isRetried: false },
  })
  const messages = await store.parked.messages({ relay: name })
  expect(messages.map(({ data, error }) => [data, error?.message])).toEqual([
    [2, 'message is not wanted'],
    [3, undefined],
    [4, undefined],
    [5, undefined],
  ])

  // While they are retried, another one of the key comes.
  broker.isRefused = () => false
  const opened = Promise.withResolvers<void>()
  broker.gate = opened.promise
  const given = broker.batches.length
  expect(await store.parked.retryMessages(name)).toEqual(messages.map(({ position }) => position))
  await until('the broker to have them', () => broker.batches.length > given || undefined)
  await publish(topic, ['a', 6])
  opened.resolve()
  await untilParked(name, 0)
  await until('the last', () => broker.numbers().a?.includes(6) || undefined)
  expect(broker.numbers()).toEqual({ a: [1, 2, 3, 4, 5, 6], b: [10, 11] })
  // Of those that were parked none came twice, and all with their ids.
  const retried = broker.taken.filter(({ key, data }) => key === 'a' && data !== 1)
  expect(retried.map(({ data }) => data)).toEqual([2, 3, 4, 5, 6])
  expect(retried.slice(0, 4).map(({ id }) => id)).toEqual(
    messages.map(({ messageId }) => messageId),
  )
})

test('a retry is told at once, however rarely sessions look around', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = () => true
  startWorker(definition, { pollIntervalMs: 600_000 })
  await publish(topic, ['a', 1])
  await untilParked(name, 1)
  broker.isRefused = () => false
  const before = performance.now()
  await store.parked.retryMessages(name)
  await until('the message', () => broker.taken.length > 0 || undefined)
  // A look that nobody hints at comes after 5 seconds at the earliest.
  expect(performance.now() - before).toBeLessThan(4_000)
})

test('one that is refused again waits with its new error, and so does what follows it', async () => {
  // Few at once, so that those which follow are another batch.
  const { name, topic, broker, definition } = makeRelay({ maxInFlight: 2 })
  broker.isRefused = ({ key }) => key === 'a'
  startWorker(definition)
  await publish(topic, ['a', 1], ['a', 2], ['a', 3], ['a', 4], ['a', 5], ['', 6])
  await untilParked(name, 5)
  broker.isRefused = ({ data }) => data === 2
  await store.parked.retryMessages(name, { key: 'a' })
  await untilParked(name, 4)
  const left = await store.parked.messages({ relay: name })
  expect(left.map(({ data, attempts, isRetried }) => [data, attempts, isRetried])).toEqual([
    [2, 1, false],
    [3, 0, false],
    [4, 0, false],
    [5, 0, false],
  ])
  broker.isRefused = ({ data }) => data === 2
  await store.parked.retryMessages(name, { key: 'a' })
  await until('the second refusal', async (saw) => {
    const [first] = await store.parked.messages({ relay: name })
    saw(first)
    return (first?.attempts === 2 && !first.isRetried) || undefined
  })
  expect(broker.numbers()).toEqual({ a: [1], '': [6] })
  broker.isRefused = () => false
  await store.parked.retryMessages(name)
  await untilParked(name, 0)
  expect(broker.numbers()).toEqual({ a: [1, 2, 3, 4, 5], '': [6] })
})

test('one message is retried with those of its key before it, and the later ones wait', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = ({ data }) => data === 1 || data === 20 || data === 21
  startWorker(definition)
  await publish(topic, ['a', 1], ['', 20], ['a', 2], ['', 21], ['a', 3])
  await untilParked(name, 5)
  broker.isRefused = () => false
  const at = async (data: number) => {
    const found = (await store.parked.messages({ relay: name })).find((one) => one.data === data)
    return { position: found?.position ?? 0n }
  }
  const second = await at(2)
  expect(await store.parked.retryMessages(name, second)).toHaveLength(2)
  await untilParked(name, 3)
  expect(await parkedNumbers(name)).toEqual([20, 21, 3])
  expect(await store.parked.retryMessages(name, await at(21))).toHaveLength(1)
  await untilParked(name, 2)
  await publish(topic, ['a', 4])
  await untilParked(name, 3)
  expect(broker.numbers()).toEqual({ a: [1, 2], '': [21] })
  await expect(store.parked.retryMessages(name, second)).rejects.toMatchObject({
    code: 'PARKED_EVENT_UNKNOWN',
  })
  await expect(store.parked.retryMessages('nobody')).rejects.toMatchObject({
    code: 'PARKED_EVENT_UNKNOWN',
  })
})

test('those that are given up are never published, and then later ones of the key are', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = ({ data }) => data === 1
  const worker = startWorker(definition)
  await publish(topic, ['a', 1], ['a', 2], ['a', 3])
  await untilParked(name, 3)
  await worker.stop()
  const [first] = await store.parked.messages({ relay: name })
  await store.parked.discardMessages(name, { position: first?.position ?? 0n })
  expect(await parkedNumbers(name)).toEqual([2, 3])
  // What is asked for while nobody runs it is done by who does next.
  await store.parked.retryMessages(name, { key: 'a' })
  startWorker(definition)
  await untilParked(name, 0)
  broker.isRefused = ({ data }) => data === 4
  await publish(topic, ['a', 4], ['a', 5])
  await untilParked(name, 2)
  expect(await store.parked.discardMessages(name, { key: 'a' })).toHaveLength(2)
  await publish(topic, ['a', 6])
  await until('the next of the key', () => broker.numbers().a?.includes(6) || undefined)
  expect(broker.numbers()).toEqual({ a: [2, 3, 6] })
})

test('a message that is about to be parked is not stranded when its key is given up meanwhile', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = ({ data }) => data === 1
  startWorker(definition)
  await publish(topic, ['a', 1])
  await untilParked(name, 1)
  const opened = Promise.withResolvers<void>()
  broker.gate = opened.promise
  const given = broker.batches.length
  await publish(topic, ['b', 10], ['a', 2])
  await until('the broker to have the other', () => broker.batches.length > given || undefined)
  await store.parked.discardMessages(name, { key: 'a' })
  opened.resolve()
  await until('the message', () => broker.numbers().a?.includes(2) || undefined)
  await untilParked(name, 0)
  expect(broker.numbers()).toEqual({ a: [2], b: [10] })
})

test('a relay that stopped because too many were parked goes on once they are retried', async () => {
  const { name, topic, broker, definition } = makeRelay()
  const narrow: Relay = { ...definition, maxParked: 2 }
  broker.isRefused = ({ key }) => key === 'a'
  const worker = startWorker(narrow)
  await publish(topic, ['a', 1], ['a', 2])
  await untilParked(name, 2)
  await publish(topic, ['a', 3])
  await until('it to stop', async () => (await statusOf(name))?.state === 'failed' || undefined)
  await worker.stop()
  broker.isRefused = () => false
  await store.parked.retryMessages(name)
  startWorker(narrow)
  await until('all', () => broker.numbers().a?.length === 3 || undefined)
  expect(broker.numbers().a).toEqual([1, 2, 3])
  await untilParked(name, 0)
})

/** One thing that somebody does to a relay; the number chooses among what there is. */
type Step = readonly [kind: keyof typeof steps, number: number]

/** A relay with its broker and its worker, and what was done to it. */
class World {
  readonly relay = makeRelay({ maxInFlight: 3 })
  readonly published: Record<string, number[]> = { a: [], b: [], c: [] }
  readonly discarded = new Set<bigint>()
  retried = 0
  #last = 0
  #worker = startWorker(this.relay.definition)

  key(number: number): string {
    return Object.keys(this.published)[number % 3] ?? 'a'
  }

  async publish(number: number): Promise<void> {
    const key = this.key(number)
    const numbers = Array.from({ length: 1 + (number % 4) }, (_, n) => this.#last + 1 + n)
    this.#last += numbers.length
    this.published[key]?.push(...numbers)
    await publish(this.relay.topic, ...numbers.map((n) => [key, n] as const))
  }

  refuse(modulus: number): void {
    this.relay.broker.isRefused = ({ data }) => Number(data) % modulus === 0
  }

  async retry(target: { readonly key?: string; readonly position?: bigint }): Promise<void> {
    const { name } = this.relay
    this.retried += (await store.parked.retryMessages(name, target).catch(unlessUnknown)).length
  }

  async retryOne(number: number): Promise<void> {
    const found = (await store.parked.messages({ relay: this.relay.name })).at(number)
    await this.retry({ position: found?.position ?? 0n })
  }

  async discard(key: string): Promise<void> {
    const gone = await store.parked.discardMessages(this.relay.name, { key }).catch(unlessUnknown)
    for (const position of gone) this.discarded.add(position)
  }

  async restart(): Promise<void> {
    await this.#worker.stop()
    this.#worker = startWorker(this.relay.definition)
  }

  /** Until everything is published or parked, and nothing is to be retried. */
  async settle(): Promise<void> {
    const { name } = this.relay
    await until('it to settle', async (saw) => {
      const { subscriptions, outbox } = await store.status()
      const lag = subscriptions.find((one) => one.name === name)?.lag
      const parked = await store.parked.messages({ relay: name })
      saw({ lag, outbox, parked })
      return (
        (lag === 0n && outbox.unsequenced === 0 && !parked.some((one) => one.isRetried)) ||
        undefined
      )
    })
  }

  async end(): Promise<void> {
    await this.settle()
    this.relay.broker.isRefused = () => false
    await this.retry({})
    await this.settle()
    await this.#worker.stop()
  }
}

/** Nothing parked there is no fault here. */
const unlessUnknown = (error: { code?: string }): readonly bigint[] => {
  if (error.code !== 'PARKED_EVENT_UNKNOWN') throw error
  return []
}

const steps = {
  publish: (world: World, number: number) => world.publish(number),
  refuse: async (world: World, number: number) => world.refuse(2 + (number % 3)),
  retry: (world: World, number: number) => world.retry({ key: world.key(number) }),
  retryOne: (world: World, number: number) => world.retryOne(number),
  // At once, or by somebody who looked at it first.
  discard: async (world: World, number: number) => {
    if (number % 4 > 0) await world.settle()
    await world.discard(world.key(number))
  },
  restart: (world: World) => world.restart(),
  settle: (world: World) => world.settle(),
}

const kinds = Object.keys(steps) as readonly (keyof typeof steps)[]
const someSteps = fc.array(
  fc.tuple(fc.constantFrom(...kinds, 'publish' as const, 'publish' as const), fc.nat(11)),
  { minLength: 8, maxLength: 16 },
)

/** Does it all; then each key's messages have come in order, and those that did not were given up. */
async function live(all: readonly Step[]): Promise<World> {
  const world = new World()
  world.refuse(2)
  for (const [kind, number] of all) await steps[kind](world, number)
  await world.end()
  const { name, topic, broker } = world.relay
  expect(await parkedNumbers(name)).toEqual([])
  const taken = broker.numbers()
  const { rows } = await database.pool.query(
    `select p.position::text, o.data from tidemark.read_outbox(0, 1000000, array[$1]) as p
     join tidemark.outbox as o using (message_id)`,
    [topic],
  )
  const givenUp = new Set(
    rows.filter(({ position }) => world.discarded.has(BigInt(position))).map(({ data }) => data),
  )
  for (const [key, numbers] of Object.entries(world.published)) {
    expect(taken[key] ?? [], key).toEqual(numbers.filter((n) => !givenUp.has(n)))
  }
  return world
}

test('whatever is refused, retried and given up, no message is lost and each key keeps its order', async () => {
  let [retried, discarded] = [0, 0]
  await fc.assert(
    fc.asyncProperty(someSteps, async (all) => {
      const world = await live(all)
      retried += world.retried
      discarded += world.discarded.size
    }),
    { numRuns: 15 },
  )
  expect(retried).toBeGreaterThan(10)
  expect(discarded).toBeGreaterThan(0)
}, 180_000)

test('a dropped relay keeps nothing in the outbox, and begins anew when it is run again', async () => {
  const { name, topic, broker, definition } = makeRelay()
  broker.isRefused = ({ data }) => data === 1
  const worker = startWorker(definition)
  await publish(topic, ['a', 1], ['b', 2])
  await untilParked(name, 1)
  await expect(store.dropSubscription('relay', name)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_IN_USE',
  })
  await worker.stop()
  await expect(store.dropSubscription('route', name)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_UNKNOWN',
  })
  // It held back retention, for itself and for nobody else.
  await database.pool.query(
    `delete from tidemark.subscriptions where kind = 'relay' and name <> $1`,
    [name],
  )
  await database.pool.query('update tidemark.subscriptions set position = 0 where name = $1', [
    name,
  ])
  const trim = async () =>
    (await database.pool.query(`select tidemark.trim_outbox('0 s', 100000)::integer as n`)).rows[0]
      .n
  expect(await trim()).toBe(0)
  await store.dropSubscription('relay', name)
  expect(await statusOf(name)).toBeUndefined()
  expect(await store.parked.messages({ relay: name })).toEqual([])
  expect(await trim()).toBeGreaterThan(0)
  await expect(store.dropSubscription('relay', name)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_UNKNOWN',
  })
  broker.isRefused = () => false
  startWorker({ ...definition, from: 'now' })
  await until('it to begin', async () => (await statusOf(name))?.owner != null || undefined)
  await publish(topic, ['a', 3])
  await until('the next', () => broker.numbers().a?.includes(3) || undefined)
  expect(broker.numbers()).toEqual({ a: [3], b: [2] })
})
