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

/** More connections than this do not help a server of few cores. */
const maxConnections = 32

/** How fast one-event appends are, beside inserts of the same rows. */
export const appendBenchmarks: readonly Benchmark[] = [1, 8, 32, 128].map((writers) => ({
  names: [`append/${writers}`],
  run: async (settings) => [await append(settings, writers)],
}))

async function append(settings: BenchSettings, writers: number): Promise<Measurement> {
  const name = `append/${writers}`
  const connections = Math.min(writers, maxConnections)
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({
    connectionString,
    events: [AccountCredited],
    maxConnections: connections,
  })
  await using raw = await createRawTable(database, connections)
  let run = 0

  const compared = await compare(settings, {
    name,
    base: async () => {
      run += 1
      await database.settle()
      const versions = new Array<number>(connections).fill(0)
      const call = (writer: number) => {
        const version = (versions[writer] ?? 0) + 1
        versions[writer] = version
        return raw.insert(`account-${run}-${writer}`, version, version)
      }
      return closedLoop(settings, { writers: connections, perCall: 1, call })
    },
    ours: async () => {
      await database.settle()
      let calls = 0
      const call = (writer: number) => {
        calls += 1
        return store.append(`account-${run}-${writer}`, credit(calls), { expect: 'any' })
      }
      return closedLoop(settings, { writers, perCall: 1, call })
    },
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'events/s',
    against: `raw insert, ${connections} writer${connections === 1 ? '' : 's'}`,
    timesOf: 'a call',
  }
}
