import { setTimeout as sleep } from 'node:timers/promises'
import { createStore, type Store } from '../src/index.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { eventOfType, manyTypes } from './many-projections.ts'
import { compare, type Trial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'projection/many'
const eventsPerCall = 100
const keys = 1_000

/**
 * How fast one worker keeps 100 projections of different types at the head of a log that a writer appends
 * to without a pause, beside one with the first of them alone.
 */
export const projectionManyBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await many(settings)],
}

async function many(settings: BenchSettings): Promise<Measurement> {
  await using one = await createBenchDatabase(settings.serverUrl)
  await using all = await createBenchDatabase(settings.serverUrl)
  const compared = await compare(settings, {
    name,
    base: () => follow(settings, one, 1),
    ours: () => follow(settings, all, manyTypes),
  })
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against: 'one projection' }
}

/** Appends for some seconds, then waits until all projections have applied it. */
async function follow(
  settings: BenchSettings,
  database: BenchDatabase,
  projections: number,
): Promise<Trial> {
  const { seconds, signal } = settings
  const { connectionString } = database
  await using _worker = await startWorkerProcess(
    { connectionString, keys: null, projections },
    signal,
  )
  await using store = await createStore({ connectionString })
  await untilApplied(store, signal)
  await database.settle()
  const began = performance.now()
  let calls = 0
  while (performance.now() - began < seconds * 1_000) {
    signal.throwIfAborted()
    const events = Array.from({ length: eventsPerCall }, (_, i) =>
      eventOfType(calls, (calls * eventsPerCall + i) % keys),
    )
    await store.append(`many-${calls % manyTypes}`, events)
    calls += 1
  }
  await untilApplied(store, signal)
  const elapsedMs = performance.now() - began
  return { rate: (calls * eventsPerCall * 1_000) / elapsedMs, p50Ms: null, p99Ms: null }
}

async function untilApplied(store: Store, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const { unsequenced, subscriptions } = await store.status()
    if (unsequenced === 0 && subscriptions.every(({ lag }) => lag === 0n)) return
    await sleep(5)
  }
}
