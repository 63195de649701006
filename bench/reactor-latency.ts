import { randomUUID } from 'node:crypto'
import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, creditData } from './accounts.ts'
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

const rates = { 'reactor/latency': 100, 'reactor/latency-500': 500 } as const
const streams = 1_000

/**
 * How long after an append the job starts that its event asks for, in a worker of another process, while
 * appends come at a steady rate.
 */
export const reactorLatencyBenchmarks: readonly Benchmark[] = Object.entries(rates).map(
  ([name, perSecond]) => ({
    names: [name],
    run: async (settings) => [await latency(settings, name, perSecond)],
  }),
)

async function latency(
  settings: BenchSettings,
  name: string,
  perSecond: number,
): Promise<Measurement> {
  const { serverUrl, seconds, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  const starts = new Starts()
  const order = { connectionString, keys: null, reactors: ['credits'], runsJobs: true }
  await using _worker = await startWorkerProcess(order, signal, (id, atMs) => starts.hear(id, atMs))
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  const call = (count: number) => appendAndStart(store, starts, count)
  await openLoop(settings, { perSecond, call, seconds: Math.max(1, seconds / 4) })
  const trials: Trial[] = []
  await repeat(settings, name, async () => {
    await database.settle()
    const { rate, answers } = await openLoop(settings, { perSecond, call, seconds })
    trials.push(toTrial(rate, answers))
  })
  const timesOf = 'append returned → job started'
  return { ...emptyMeasurement, name, ...summarize(trials), unit: 'appends/s', timesOf }
}

async function appendAndStart(store: Store, starts: Starts, count: number): Promise<number> {
  const id = randomUUID()
  const started = starts.of(id)
  const account = count % streams
  await store.append(`account-${account}`, AccountCredited(creditData(account), { id }))
  const returnedMs = performance.timeOrigin + performance.now()
  return (await started) - returnedMs
}

/** Jobs of which somebody waits to hear that they started. */
class Starts {
  readonly #waiting = new Map<string, (atMs: number) => void>()

  of(id: string): Promise<number> {
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  hear(id: string, atMs: number): void {
    this.#waiting.get(id)?.(atMs)
    this.#waiting.delete(id)
  }
}
