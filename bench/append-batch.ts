import { createStore } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { createRawTable } from './raw-table.ts'
import { compare } from './trial.ts'

const name = 'append/batch1000'
const accounts = Array.from({ length: 1_000 }, (_, account) => account)

/** How fast 1,000 events a call are appended to one stream, beside one insert of the same rows. */
export const appendBatchBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await appendBatch(settings)],
}

async function appendBatch(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({
    connectionString,
    events: [AccountCredited],
    maxConnections: 1,
  })
  await using raw = await createRawTable(database, 1)
  let run = 0

  const compared = await compare(settings, {
    name,
    base: async () => {
      run += 1
      await database.settle()
      let version = 0
      const call = () => {
        const after = version
        version += accounts.length
        return raw.insertMany(`account-${run}`, after, accounts)
      }
      return closedLoop(settings, { writers: 1, perCall: accounts.length, call })
    },
    ours: async () => {
      await database.settle()
      const call = () => store.append(`account-${run}`, accounts.map(credit), { expect: 'any' })
      return closedLoop(settings, { writers: 1, perCall: accounts.length, call })
    },
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'events/s',
    against: 'raw insert … select unnest',
    timesOf: 'a call of 1,000 events',
  }
}
