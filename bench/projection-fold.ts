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
import { readWholeLog } from './read-log.ts'
import { compare, type Trial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

/** How fast a fold projection catches up, beside only reading what it folds. */
export const projectionFoldBenchmarks: readonly Benchmark[] = [
  { name: 'projection/fold-1k', keys: 1_000 },
  { name: 'projection/fold-100k', keys: 100_000 },
].map(({ name, keys }) => ({
  names: [name],
  run: async (settings) => [await fold(settings, name, keys)],
}))

async function fold(settings: BenchSettings, name: string, keys: number): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await makeFirstVersion(settings, connectionString, keys)
  await loadLog(settings, database)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  let version = 1
  const rebuildNext = () => {
    version += 1
    return rebuild(settings, store, keys, version)
  }
  await readWholeLog(settings, database)
  await rebuildNext()

  const compared = await compare(settings, {
    name,
    base: async () => {
      await database.settle()
      return readWholeLog(settings, database)
    },
    ours: async () => {
      await database.settle()
      return rebuildNext()
    },
  })
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against: 'read without fold' }
}

/** Builds a version from the start of the log and drops it again. Only the building counts. */
async function rebuild(
  { events, signal }: BenchSettings,
  store: Store,
  keys: number,
  version: number,
): Promise<Trial> {
  const projection = balances(keys, version)
  const { durationMs } = await store.rebuild(projection, { signal })
  await store.drop(projection.name, version)
  return { rate: (events * 1_000) / durationMs, p50Ms: null, p99Ms: null }
}

/** The first version of a projection is live from the start, and a live one is never rebuilt. */
async function makeFirstVersion(
  { signal }: BenchSettings,
  connectionString: string,
  keys: number,
): Promise<void> {
  await using _worker = await startWorkerProcess({ connectionString, keys }, signal)
}
