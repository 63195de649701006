import pg from 'pg'
import { createStore, relay, runWorker } from '../src/index.ts'
import { until } from '../test/support/until.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'

const name = 'outbox/retention'
const perCommit = 10
const retentionMs = 2_000

/**
 * What becomes of the outbox's size while a million messages are published, ten a commit, and removed two
 * seconds after they were relayed: the largest size of the second half, beside that of the first.
 */
export const outboxRetentionBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await measureRetention(settings)],
}

async function measureRetention(settings: BenchSettings): Promise<Measurement> {
  const { signal, say } = settings
  const total = settings.taggedEvents
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, maxConnections: 4 })
  const client = new pg.Client({ connectionString })
  await client.connect()
  const stop = new AbortController()
  const dropAll = relay('drop', {
    to: async () => ({ publish: async () => {}, [Symbol.asyncDispose]: async () => {} }),
  })
  const options = { outboxRetentionMs: retentionMs, outboxTrimIntervalMs: 500, seal: false }
  const ended = AbortSignal.any([stop.signal, signal])
  const worker = runWorker({ connectionString, relays: [dropAll], ...options }, ended)
  try {
    await until('the relay to begin', async () => {
      return (await store.status()).subscriptions.length > 0 || undefined
    })
    const sizes: number[] = []
    const began = performance.now()
    const message = (n: number) => ({
      topic: 'orders.order.placed',
      key: `${n % 100}`,
      data: { n },
    })
    const batch = Array.from({ length: perCommit }, (_, n) => message(n))
    for (let n = 0; n < total && !signal.aborted; n += perCommit * 8) {
      await Promise.all(Array.from({ length: 8 }, () => store.publishMany(null, batch)))
      if (sizes.length < (n * 100) / total) sizes.push(await readSize(client))
    }
    const rate = (total * 1_000) / (performance.now() - began)
    const half = Math.ceil(sizes.length / 2)
    const [first, second] = [Math.max(...sizes.slice(0, half)), Math.max(...sizes.slice(half))]
    const { kept } = (await store.status()).outbox
    say(
      `${name}: ${kept} messages kept; sizes in MiB: ${sizes.map((size) => size.toFixed(1)).join(' ')}`,
    )
    return {
      ...emptyMeasurement,
      name,
      rate,
      unit: 'messages/s',
      ratio: second / first,
      against: `largest size of the first half: ${first.toFixed(1)} MiB`,
    }
  } finally {
    stop.abort()
    await worker
    await client.end()
  }
}

/** MiB of table, index and ledger. */
async function readSize(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(/* sql */ `
    select (pg_total_relation_size('tidemark.outbox')
      + pg_total_relation_size('tidemark.outbox_commits'))::text as bytes`)
  return Number(rows[0]?.bytes) / 2 ** 20
}
