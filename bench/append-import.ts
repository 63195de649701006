import { setImmediate as turn } from 'node:timers/promises'
import { createStore, type ImportedEvent, type Store } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { createRawTable, type RawRow } from './raw-table.ts'
import { compare, type Trial, toTrial } from './trial.ts'

const name = 'append/import'
const streams = 1_000

/** How fast events are imported, beside one COPY of the same rows. */
export const appendImportBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await appendImport(settings)],
}

async function appendImport(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await using raw = await createRawTable(database, 1)
  let run = 0

  const compared = await compare(settings, {
    name,
    base: async () => {
      run += 1
      await database.settle()
      return timed(() => raw.copy(whileTime(settings, rawRows(run))))
    },
    ours: async () => {
      await database.settle()
      return importFor(settings, store, run)
    },
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'events/s',
    against: 'one raw COPY',
    timesOf: 'a transaction of 10,000 events',
  }
}

async function timed(copy: () => Promise<number>): Promise<Trial> {
  const began = performance.now()
  const count = await copy()
  return toTrial((count * 1_000) / (performance.now() - began), [])
}

async function importFor(settings: BenchSettings, store: Store, run: number): Promise<Trial> {
  const timesMs: number[] = []
  let last = performance.now()
  const { imported, durationMs } = await store.importEvents(
    whileTime(settings, importedEvents(run)),
    {
      key: `run ${run}`,
      onProgress: () => {
        timesMs.push(performance.now() - last)
        last = performance.now()
      },
    },
  )
  return toTrial((Number(imported) * 1_000) / durationMs, timesMs)
}

/** What comes until the time of a run is over. */
async function* whileTime<T>(
  { seconds, signal }: BenchSettings,
  items: Iterable<T>,
): AsyncGenerator<T> {
  const end = performance.now() + seconds * 1_000
  let count = 0
  for (const item of items) {
    count += 1
    if (count % 1_000 === 0) {
      signal.throwIfAborted()
      if (performance.now() > end) return
      await turn()
    }
    yield item
  }
}

function* importedEvents(run: number): Generator<ImportedEvent> {
  for (let n = 0; ; n += 1) {
    const version = BigInt(Math.floor(n / streams) + 1)
    yield { streamId: streamOf(run, n), version, recordedAt: timeOf(n), event: credit(n) }
  }
}

function* rawRows(run: number): Generator<RawRow> {
  for (let n = 0; ; n += 1) {
    const version = Math.floor(n / streams) + 1
    yield { streamId: streamOf(run, n), version, recordedAt: timeOf(n), account: n }
  }
}

function streamOf(run: number, n: number): string {
  return `account-${run}-${n % streams}`
}

function timeOf(n: number): Date {
  return new Date(Date.UTC(2020, 0, 1) + n)
}
