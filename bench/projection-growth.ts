import { createStore } from '../src/index.ts'
import { AccountCredited, balances } from './accounts.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { loadLog } from './load-log.ts'
import { type RebuildCost, rebuildInProcess } from './rebuild-process.ts'
import { median } from './statistics.ts'

const name = 'projection/growth'
const fewEvents = 100_000
const keys = 1_000

/**
 * What becomes of a rebuild as the log grows: its rate in a log of 5,000,000 events (`--large-events`)
 * beside that in one of 100,000, and the most memory that it needs.
 */
export const projectionGrowthBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await growth(settings)],
}

async function growth(settings: BenchSettings): Promise<Measurement> {
  const { largeEvents, serverUrl } = settings
  await using database = await createBenchDatabase(serverUrl)
  await using store = await createStore({
    connectionString: database.connectionString,
    events: [AccountCredited],
  })
  // The first version is live from the start, and a live one is never rebuilt.
  await store.rebuild(balances(keys, 1))
  await loadLog({ ...settings, events: fewEvents }, database)
  const few = await rebuildOften(settings, database, fewEvents)
  await loadLog({ ...settings, events: largeEvents - fewEvents }, database)
  const many = await rebuildOften(settings, database, largeEvents)
  return {
    ...emptyMeasurement,
    name,
    rate: median(many.rates),
    unit: 'events/s',
    ratio: median(many.rates) / median(few.rates),
    against: `${fewEvents.toLocaleString('en')} events`,
    baseRate: median(few.rates),
    peakMemoryMb: many.peakMemory / 2 ** 20,
  }

  async function rebuildOften(
    { runs, say, signal }: BenchSettings,
    log: BenchDatabase,
    events: number,
  ) {
    const costs: RebuildCost[] = []
    for (let run = 1; run <= runs; run += 1) {
      say(`${name}: ${events.toLocaleString('en')} events, run ${run} of ${runs}`)
      await log.settle()
      const order = { connectionString: log.connectionString, keys, version: 2 }
      costs.push(await rebuildInProcess(order, signal))
      await store.drop(balances(keys, 2).name, 2)
    }
    return {
      rates: costs.map(({ durationMs }) => (events * 1_000) / durationMs),
      peakMemory: Math.max(...costs.map(({ peakMemory }) => peakMemory)),
    }
  }
}
