import { setTimeout as sleep } from 'node:timers/promises'
import { queryOnce } from '../test/support/query-once.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'worker/idle'
const workers = 20
const seconds = 60

/** How long workers need until nothing of their start goes on: pools end what is idle for 10 s. */
const settleMs = 30_000

/** Transactions a second, of one query each, that 20 workers ask for together when nothing happens. */
export const workerIdleBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await idle(settings)],
}

async function idle({ serverUrl, signal, say }: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using started = new AsyncDisposableStack()
  say(`${name}: starting ${workers} workers`)
  for (let count = 0; count < workers; count += 1) {
    started.use(await startWorkerProcess({ connectionString, keys: 1_000 }, signal))
  }
  await sleep(settleMs, undefined, { signal })
  say(`${name}: watching them for ${seconds} s`)
  const before = await countTransactions(connectionString)
  await sleep(seconds * 1_000, undefined, { signal })
  const after = await countTransactions(connectionString)
  return {
    ...emptyMeasurement,
    name,
    rate: (after - before) / seconds,
    unit: `queries/s of ${workers} idle workers`,
  }
}

/** The server writes its counters about once a second, of an idle session within ten. */
async function countTransactions(connectionString: string): Promise<number> {
  const [row] = await queryOnce(
    connectionString,
    `select (xact_commit + xact_rollback)::integer as count
     from pg_stat_database
     where datname = current_database()`,
  )
  return Number(row?.count)
}
