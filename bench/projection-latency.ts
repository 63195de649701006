import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, balances, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { openLoop } from './open-loop.ts'
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
  const call = (count: number) => appendAndSee(store, count, signal)
  const loop = { perSecond: appendsPerSecond, call }
  await openLoop(settings, { ...loop, seconds: Math.max(1, seconds / 4) })
  const fromReturn: Trial[] = []
  const fromCall: Trial[] = []

  await repeat(settings, names[0], async () => {
    await database.settle()
    const { rate, answers: sightings } = await openLoop(settings, { ...loop, seconds })
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

async function appendAndSee(store: Store, count: number, signal: AbortSignal): Promise<Sighting> {
  const called = performance.now()
  const { token } = await store.append(`account-${count % keys}`, credit(count % keys))
  const returned = performance.now()
  await store.waitFor(token, projection, { timeoutMs: 30_000, signal })
  const seen = performance.now()
  return { fromCallMs: seen - called, fromReturnMs: seen - returned }
}
