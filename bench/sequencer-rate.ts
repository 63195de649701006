import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { measure, warmUp } from './closed-loop.ts'
import { contrast, repeat, type Trial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'sequencer/rate'
const writers = 8

/** How many commits a second get their position while 8 writers append, beside what they append. */
export const sequencerRateBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await rate(settings)],
}

async function rate(settings: BenchSettings): Promise<Measurement> {
  const { serverUrl, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using _worker = await startWorkerProcess({ connectionString, keys: null }, signal)
  await using store = await createStore({
    connectionString,
    events: [AccountCredited],
    maxConnections: writers + 1,
  })
  const appended: Trial[] = []
  const sequenced: Trial[] = []

  await repeat(settings, name, async (run) => {
    await database.settle()
    const call = (writer: number) => store.append(`account-${run}-${writer}`, credit(writer))
    const loop = { writers, perCall: 1, call }
    await warmUp(settings, loop)
    const [trial, perSecond] = await whileSequencing(store, () => measure(settings, loop))
    appended.push(trial)
    sequenced.push({ rate: perSecond, p50Ms: null, p99Ms: null })
  })
  return {
    ...emptyMeasurement,
    name,
    ...contrast(appended, sequenced),
    unit: 'commits/s',
    against: 'appended meanwhile, 8 writers',
  }
}

/** Tells, besides what the body returns, how many positions a second were given meanwhile. */
async function whileSequencing<T>(store: Store, body: () => Promise<T>): Promise<[T, number]> {
  const { position: before } = await store.status()
  const began = performance.now()
  const result = await body()
  const { position: after } = await store.status()
  return [result, (Number(after - before) * 1_000) / (performance.now() - began)]
}
