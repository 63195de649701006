import { createStore } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited, balances, credit, creditData } from './accounts.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { watchSlots } from './watch-slot.ts'
import { startWorkerProcess } from './worker-process.ts'

const names = ['worker/large-commit', 'worker/small-commits', 'worker/busy-tables'] as const

const keys = 1_000
const smallCommits = 100_000
const appenders = 4

/** Rows of another table that one statement changes: about 20 MB of WAL. */
const busyRows = 20_000
const busyWrites = 50
const writeBusy = 'update busy set filler = reverse(filler)'

const limitMs = 1_800_000

const data = JSON.stringify(creditData(1))

/**
 * What a worker's process needs at most, and how much WAL its slot retains: for one transaction of
 * 5,000,000 events; for 100,000 transactions while other tables are written; and with no event at all
 * while other tables are written. Once each, whatever `--runs` says.
 */
export const workerResourcesBenchmark: Benchmark = { names, run: resources }

interface Load {
  readonly name: string
  readonly unit: string
  /** @returns how much was done, in the unit of the rate. */
  readonly append: (database: BenchDatabase, settings: BenchSettings) => Promise<number>
}

async function resources(settings: BenchSettings): Promise<readonly Measurement[]> {
  const { largeEvents } = settings
  return [
    await carry(settings, {
      name: names[0],
      unit: 'events/s, applied',
      append: (database) => appendAtOnce(database, largeEvents),
    }),
    await carry(settings, { name: names[1], unit: 'commits/s, applied', append: appendMany }),
    await carry(settings, { name: names[2], unit: 'MB/s of other WAL', append: writeElsewhere }),
  ]
}

/** Lets a worker follow a load with a projection, and looks what it takes. */
async function carry(settings: BenchSettings, load: Load): Promise<Measurement> {
  const { serverUrl, signal, say } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await database.execute(
    `create table busy as
     select id, repeat('x', 400) as filler from generate_series(1, ${busyRows}) as id`,
  )
  await using worker = await startWorkerProcess({ connectionString, keys }, signal)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await using slots = await watchSlots(connectionString)
  say(`${load.name}: appending`)
  const began = performance.now()
  const amount = await load.append(database, settings)
  say(`${load.name}: waiting for the worker`)
  const { token } = await store.append('last', credit(1))
  await store.waitFor(token, balances(keys, 1), { timeoutMs: limitMs, signal })
  const rate = (amount * 1_000) / (performance.now() - began)
  return {
    ...emptyMeasurement,
    name: load.name,
    rate,
    unit: load.unit,
    peakMemoryMb: (await worker.peakMemory()) / 2 ** 20,
    retainedWalMb: slots.peakBytes / 2 ** 20,
  }
}

/** In one transaction, by statements of 50,000. */
async function appendAtOnce({ execute }: BenchDatabase, events: number): Promise<number> {
  const perStatement = 50_000
  const statements = Math.ceil(events / perStatement)
  await execute(/* sql */ `
    do $$
    begin
      for s in 1..${statements} loop
        insert into tidemark.events (stream_id, version, event_id, type, data)
        select 'account-' || s, v, gen_random_uuid(), 'account.credited', '${data}'
        from generate_series(1, ${perStatement}) as v;
      end loop;
    end $$`)
  return statements * perStatement
}

/** One event a transaction, by several sessions, while others write another table. */
async function appendMany(database: BenchDatabase, settings: BenchSettings): Promise<number> {
  const each = smallCommits / appenders
  const over = new AbortController()
  const writing = keepWriting(database, AbortSignal.any([over.signal, settings.signal]))
  try {
    await Promise.all(
      Array.from({ length: appenders }, (_, appender) =>
        database.execute(/* sql */ `
          do $$
          begin
            perform set_config('synchronous_commit', 'off', false);
            for n in 1..${each} loop
              insert into tidemark.events (stream_id, version, event_id, type, data)
              values ('account-${appender}-' || n, 1, gen_random_uuid(), 'account.credited', '${data}');
              commit;
            end loop;
          end $$`),
      ),
    )
  } finally {
    over.abort()
    await writing
  }
  return smallCommits
}

/** Nothing but writes to another table. @returns megabytes of WAL. */
async function writeElsewhere(
  { connectionString, execute }: BenchDatabase,
  { signal }: BenchSettings,
): Promise<number> {
  const before = await walMegabytes(connectionString)
  for (let write = 0; write < busyWrites; write += 1) {
    signal.throwIfAborted()
    await execute(writeBusy)
  }
  return (await walMegabytes(connectionString)) - before
}

async function keepWriting({ execute }: BenchDatabase, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await execute(writeBusy)
}

async function walMegabytes(connectionString: string): Promise<number> {
  const [row] = await queryOnce(
    connectionString,
    "select (pg_current_wal_insert_lsn() - '0/0') / 1048576 as megabytes",
  )
  return Number(row?.megabytes)
}
