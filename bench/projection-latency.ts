import { setTimeout as sleep } from 'node:timers/promises'
import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, balances, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { repeat, summarize, type Trial, toTrial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const names = ['projection/latency', 'projection/latency-from-call'] as const
const appendsPerSecond = 500
const keys = 1_000
const projection = balances(keys, 1)

/**
 * How long after an append its event is in the read model, which a worker in another process keeps,
 * while appends come at a steady rate whether or not the ones before are done.
 */
export const projectionLatencyBenchmark: Benchmark = { names, run: latency }

/** Times of one append: until it was in the read model. */
interface Sighting {
  readonly fromCallMs: number
  readonly fromReturnMs: number
}

async function latency(settings: BenchSettings): Promise<readonly Measurement[]> {
  const { serverUrl, seconds, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using _worker = await startWorkerProcess({ connectionString, keys }, signal)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await openLoop(settings, store, Math.max(1, seconds / 4))
  const fromReturn: Trial[] = []
  const fromCall: Trial[] = []

  await repeat(settings, names[0], async () => {
    await database.settle()
    const { rate, sightings } = await openLoop(settings, store, seconds)
    fromReturn.push(
      toTrial(
        rate,
        sightings.map(({ fromReturnMs }) => fromReturnMs),
      ),
    )
    fromCall.push(
      toTrial(
        rate,
        sightings.map(({ fromCallMs }) => fromCallMs),
      ),
    )
  })
  const common = { ...emptyMeasurement, unit: 'appends/s' }
  return [
    { ...common, name: names[0], ...summarize(fromReturn), timesOf: 'append returned → visible' },
    { ...common, name: names[1], ...summarize(fromCall), timesOf: 'append called → visible' },
  ]
}

/** Appends at the steady rate for some seconds, and waits for all of them to be visible. */
async function openLoop(
  { signal }: BenchSettings,
  store: Store,
  seconds: number,
): Promise<{ rate: number; sightings: readonly Sighting[] }> {
  const began = performance.now()
  const sightings: Promise<Sighting>[] = []
  const failed = new AbortController()
  while (sightings.length < seconds * appendsPerSecond && !failed.signal.aborted) {
    signal.throwIfAborted()
    const due = ((performance.now() - began) * appendsPerSecond) / 1_000
    while (sightings.length <= due) {
      const sighting = appendAndSee(store, sightings.length, signal)
      sighting.catch(() => failed.abort())
      sightings.push(sighting)
    }
    await sleep(1)
  }
  const seen = await Promise.all(sightings)
  return { rate: (seen.length * 1_000) / (performance.now() - began), sightings: seen }
}

async function appendAndSee(store: Store, count: number, signal: AbortSignal): Promise<Sighting> {
  const called = performance.now()
  const { token } = await store.append(`account-${count % keys}`, credit(count % keys))
  const returned = performance.now()
  await store.waitFor(token, projection, { timeoutMs: 30_000, signal })
  const seen = performance.now()
  return { fromCallMs: seen - called, fromReturnMs: seen - returned }
}
