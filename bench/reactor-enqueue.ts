import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createPool } from '../src/db/connect.ts'
import { createStore, type Store, silentLogger } from '../src/index.ts'
import { defaultJobSchema, installJobs } from '../src/jobs/run-jobs.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { loadLog } from './load-log.ts'
import { compare, type Trial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'reactor/enqueue'
const jobsPerCall = 1_000

/**
 * How fast a reactor that is far behind turns events into jobs, one each, beside the same jobs enqueued by
 * hand: `add_jobs` of 1,000 at a time, each call a transaction of its own.
 */
export const reactorEnqueueBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await enqueue(settings)],
}

async function enqueue(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await loadLog(settings, database)
  const installing = createPool({ connectionString })
  await installJobs(installing, defaultJobSchema, silentLogger).finally(() => installing.end())
  await using store = await createStore({ connectionString })
  let round = 0
  const compared = await compare(settings, {
    name,
    base: async () => {
      await empty(database)
      return byHand(settings, connectionString)
    },
    ours: async () => {
      await empty(database)
      round += 1
      return catchUp(settings, connectionString, store, `credits-${round}`)
    },
  })
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against: 'add_jobs by hand' }
}

async function empty(database: BenchDatabase): Promise<void> {
  await database.execute(`truncate ${defaultJobSchema}._private_jobs`)
  await database.settle()
}

/** What of the catching up stands between the first look that sees it under way and the last. */
async function catchUp(
  { events, signal }: BenchSettings,
  connectionString: string,
  store: Store,
  reactor: string,
): Promise<Trial> {
  const worker = startWorkerProcess({ connectionString, keys: null, reactors: [reactor] }, signal)
  try {
    const began = await untilAt(store, reactor, 1n, signal)
    const ended = await untilAt(store, reactor, BigInt(events), signal)
    const passed = Number(ended.position - began.position)
    return { rate: (passed * 1_000) / (ended.atMs - began.atMs), p50Ms: null, p99Ms: null }
  } finally {
    await (await worker)[Symbol.asyncDispose]()
  }
}

async function untilAt(store: Store, reactor: string, position: bigint, signal: AbortSignal) {
  for (;;) {
    signal.throwIfAborted()
    const { subscriptions } = await store.status()
    const found = subscriptions.find((one) => one.name === reactor)
    if (found !== undefined && found.position >= position)
      return { position: found.position, atMs: performance.now() }
    await sleep(20)
  }
}

async function byHand({ events, signal }: BenchSettings, connectionString: string): Promise<Trial> {
  const client = await connect({ connectionString })
  const began = performance.now()
  for (let done = 0; done < events; done += jobsPerCall) {
    signal.throwIfAborted()
    const specs = Array.from({ length: Math.min(jobsPerCall, events - done) }, (_, i) => ({
      identifier: 'note-credit',
      payload: { account: done + i, cents: 4200 },
    }))
    await client.query(
      `select from ${defaultJobSchema}.add_jobs(
        array(select json_populate_recordset(null::${defaultJobSchema}.job_spec, $1::json))
      )`,
      [JSON.stringify(specs)],
    )
  }
  const elapsedMs = performance.now() - began
  await client.end()
  return { rate: (events * 1_000) / elapsedMs, p50Ms: null, p99Ms: null }
}
