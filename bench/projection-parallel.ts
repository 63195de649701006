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

interface Way {
  readonly name: string
  readonly processes: number
  /** What an event costs besides: see {@link balances}. */
  readonly rounds: number
  /** Of those that `--events` asks for, at most. */
  readonly maxEvents: number
}

const ways: readonly Way[] = [
  { name: 'projection/parallel', processes: 2, rounds: 0, maxEvents: Number.POSITIVE_INFINITY },
  {
    name: 'projection/parallel-one-process',
    processes: 1,
    rounds: 0,
    maxEvents: Number.POSITIVE_INFINITY,
  },
  { name: 'projection/parallel-costly', processes: 2, rounds: 300, maxEvents: 50_000 },
]

/**
 * What a rebuild by two partitions gives, in two processes and in one, beside one partition: of events
 * that cost next to nothing to apply, and of such that cost some tenths of a millisecond.
 */
export const projectionParallelBenchmarks: readonly Benchmark[] = ways.map((way) => ({
  names: [way.name],
  run: async ({ events, ...rest }) => {
    return [await parallel({ ...rest, events: Math.min(events, way.maxEvents) }, way)]
  },
}))

async function parallel(
  settings: BenchSettings,
  { name, processes, rounds }: Way,
): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  // The first version is live from the start, and a live one is never rebuilt.
  await store.rebuild(balances(keys, 1))
  await loadLog(settings, database)
  await rebuild(settings, store, connectionString, { partitions: 1, processes: 1, rounds })
  const compared = await compare(settings, {
    name,
    base: async () => {
      await database.settle()
      return rebuild(settings, store, connectionString, { partitions: 1, processes: 1, rounds })
    },
    ours: async () => {
      await database.settle()
      return rebuild(settings, store, connectionString, { partitions: 2, processes, rounds })
    },
  })
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against: 'one partition' }
}

/** Builds a version and drops it again. The second process takes its half as soon as it runs. */
async function rebuild(
  { events, signal }: BenchSettings,
  store: Store,
  connectionString: string,
  {
    partitions,
    processes,
    rounds,
  }: { readonly partitions: number; readonly processes: number; readonly rounds: number },
): Promise<Trial> {
  const projection = balances(keys, 2, rounds)
  let helper: Promise<unknown> | undefined
  const { durationMs } = await store.rebuild(projection, {
    signal,
    parallel: partitions,
    onProgress: () => {
      const order = { connectionString, keys, version: 2, rounds }
      if (processes > 1) helper ??= rebuildInProcess(order, signal)
    },
  })
  await helper
  await store.drop(projection.name, 2)
  return { rate: (events * 1_000) / durationMs, p50Ms: null, p99Ms: null }
}
