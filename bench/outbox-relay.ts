import { createStore, relay, runWorker } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { repeat, summarize, type Trial } from './trial.ts'

const name = 'outbox/relay'
const messages = 100_000

const publishAll = /* sql */ `
  insert into tidemark.outbox (message_id, topic, key, data)
  select gen_random_uuid(), 'orders.order.placed', 'order-' || n % 1000,
    jsonb_build_object('orderId', n, 'cents', n)
  from generate_series(1, ${messages}) as n`

/** How many messages a second a relay takes from the outbox whose publisher drops them all. */
export const outboxRelayBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await measureRelay(settings)],
}

async function measureRelay(settings: BenchSettings): Promise<Measurement> {
  const trials: Trial[] = []
  await repeat(settings, name, async () => {
    await using database = await createBenchDatabase(settings.serverUrl)
    const { connectionString } = database
    await queryOnce(connectionString, publishAll)
    await using store = await createStore({ connectionString, maxConnections: 1 })
    await store.status()
    const stop = new AbortController()
    const done = Promise.withResolvers<number>()
    let [taken, began] = [0, 0]
    const dropAll = relay('drop', {
      from: 'start',
      to: async () => ({
        publish: async (some) => {
          began ||= performance.now()
          taken += some.length
          if (taken >= messages) done.resolve(performance.now() - began)
        },
        [Symbol.asyncDispose]: async () => {},
      }),
    })
    const worker = runWorker(
      { connectionString, relays: [dropAll], seal: false },
      AbortSignal.any([stop.signal, settings.signal]),
    )
    const ms = await done.promise
    stop.abort()
    await worker
    trials.push({ rate: (messages * 1_000) / ms, p50Ms: null, p99Ms: null })
  })
  return { ...emptyMeasurement, name, ...summarize(trials), unit: 'messages/s' }
}
