import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { creditReactors } from './credit-reactors.ts'
import { openLoop } from './open-loop.ts'
import { repeat, summarize, type Trial, toTrial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const names = ['reactor/many', 'reactor/many-alone'] as const
const appendsPerSecond = 200
const reactors = 10
const [first] = creditReactors(['credits-0'], 'start')

/**
 * What nine more reactors on the same events cost the first one: how long after an append it has enqueued its
 * job, while appends come at a steady rate.
 */
export const reactorManyBenchmark: Benchmark = {
  names,
  run: many,
}

async function many(settings: BenchSettings): Promise<readonly Measurement[]> {
  await using one = await createBenchDatabase(settings.serverUrl)
  await using all = await createBenchDatabase(settings.serverUrl)
  const [alone, together]: [Trial[], Trial[]] = [[], []]
  await repeat(settings, names[0], async () => {
    alone.push(await follow(settings, one, 1))
    together.push(await follow(settings, all, reactors))
  })
  const common = { ...emptyMeasurement, unit: 'appends/s', timesOf: 'append returned → enqueued' }
  return [
    { ...common, name: names[0], ...summarize(together) },
    { ...common, name: names[1], ...summarize(alone) },
  ]
}

async function follow(
  settings: BenchSettings,
  database: BenchDatabase,
  count: number,
): Promise<Trial> {
  const { connectionString } = database
  const all = Array.from({ length: count }, (_, i) => `credits-${i}`)
  await using _worker = await startWorkerProcess(
    { connectionString, keys: null, reactors: all },
    settings.signal,
  )
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await database.settle()
  const call = (n: number) => appendAndWait(settings, store, n)
  const { answers, rate } = await openLoop(settings, {
    perSecond: appendsPerSecond,
    seconds: settings.seconds,
    call,
  })
  return toTrial(rate, answers)
}

async function appendAndWait({ signal }: BenchSettings, store: Store, n: number): Promise<number> {
  const { token } = await store.append(`account-${n % 1_000}`, credit(n))
  const returned = performance.now()
  await store.waitFor(token, first, { timeoutMs: 30_000, signal })
  return performance.now() - returned
}
