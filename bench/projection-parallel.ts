import { createStore, type Store } from '../src/index.ts'
import { AccountCredited, balances } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { loadLog } from './load-log.ts'
import { rebuildInProcess } from './rebuild-process.ts'
import { compare, type Trial } from './trial.ts'

const keys = 100_000

/** What a rebuild by two partitions gives, in two processes and in one, beside one partition. */
export const projectionParallelBenchmarks: readonly Benchmark[] = [
  { name: 'projection/parallel', processes: 2 },
  { name: 'projection/parallel-one-process', processes: 1 },
].map(({ name, processes }) => ({
  names: [name],
  run: async (settings) => [await parallel(settings, name, processes)],
}))

async function parallel(
  settings: BenchSettings,
  name: string,
  processes: number,
): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  // The first version is live from the start, and a live one is never rebuilt.
  await store.rebuild(balances(keys, 1))
  await loadLog(settings, database)
  await rebuild(settings, store, connectionString, { partitions: 1, processes: 1 })
  const compared = await compare(settings, {
    name,
    base: async () => {
      await database.settle()
      return rebuild(settings, store, connectionString, { partitions: 1, processes: 1 })
    },
    ours: async () => {
      await database.settle()
      return rebuild(settings, store, connectionString, { partitions: 2, processes })
    },
  })
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against: 'one partition' }
}

/** Builds a version and drops it again. The second process takes its half as soon as it runs. */
async function rebuild(
  { events, signal }: BenchSettings,
  store: Store,
  connectionString: string,
  { partitions, processes }: { readonly partitions: number; readonly processes: number },
): Promise<Trial> {
  const projection = balances(keys, 2)
  let helper: Promise<unknown> | undefined
  const { durationMs } = await store.rebuild(projection, {
    signal,
    parallel: partitions,
    onProgress: () => {
      if (processes > 1) helper ??= rebuildInProcess({ connectionString, keys, version: 2 }, signal)
    },
  })
  await helper
  await store.drop(projection.name, 2)
  return { rate: (events * 1_000) / durationMs, p50Ms: null, p99Ms: null }
}
