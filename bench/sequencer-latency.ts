import { createStore } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { measure, warmUp } from './closed-loop.ts'
import { repeat, summarize, type Trial, toTrial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'sequencer/latency'

/** How long after its append returned a commit has its position, with one writer at a time. */
export const sequencerLatencyBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await latency(settings)],
}

async function latency(settings: BenchSettings): Promise<Measurement> {
  const { serverUrl, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using _worker = await startWorkerProcess({ connectionString, keys: null }, signal)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  const trials: Trial[] = []

  await repeat(settings, name, async (run) => {
    await database.settle()
    const timesMs: number[] = []
    const call = async () => {
      const { token } = await store.append(`account-${run}`, credit(run))
      const returned = performance.now()
      await store.waitFor(token, undefined, { timeoutMs: 30_000, signal })
      timesMs.push(performance.now() - returned)
    }
    await warmUp(settings, { writers: 1, perCall: 1, call })
    timesMs.length = 0
    const { rate } = await measure(settings, { writers: 1, perCall: 1, call })
    trials.push(toTrial(rate, timesMs))
  })
  return {
    ...emptyMeasurement,
    name,
    ...summarize(trials),
    unit: 'appends/s',
    timesOf: 'append returned → sequenced',
  }
}
