import { sql } from 'kysely'
import {
  type AnyProjection,
  bigint,
  createStore,
  integer,
  projection,
  type Store,
  table,
} from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { loadLog } from './load-log.ts'
import { compare, type Trial } from './trial.ts'

const name = 'projection/batch'
const keys = 1_000

/** How fast a `batch` projection catches up, beside one statement over the same events by hand. */
export const projectionBatchBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await batch(settings)],
}

/** Adds the credits up, as the folds of the other benchmarks do. */
function sums(version: number): AnyProjection {
  return projection('sums', {
    version,
    events: [AccountCredited],
    tables: {
      balances: table({ account: integer().primaryKey(), cents: bigint(), credits: integer() }),
    },
  }).batch(
    (_db, events) => sql`
      insert into balances as b (account, cents, credits)
      select (e.data ->> 'account')::integer % ${sql.lit(keys)}, sum((e.data ->> 'cents')::bigint),
        count(*)
      from ${events()} as e
      group by 1
      on conflict (account) do update
      set cents = b.cents + excluded.cents, credits = b.credits + excluded.credits`,
  )
}

const byHand = `
  insert into by_hand (account, cents, credits)
  select (e.data ->> 'account')::integer % ${keys}, sum((e.data ->> 'cents')::bigint), count(*)
  from tidemark.events as e
  where e.type = 'account.credited'
  group by 1`

async function batch(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  // The first version is live from the start, and a live one is never rebuilt.
  await store.rebuild(sums(1))
  await loadLog(settings, database)
  await database.execute(
    'create table by_hand (account integer primary key, cents bigint not null, credits integer not null)',
  )
  let version = 1
  const compared = await compare(settings, {
    name,
    base: async () => {
      await database.execute('truncate by_hand')
      await database.settle()
      const began = performance.now()
      await database.execute(byHand)
      return toRate(settings, performance.now() - began)
    },
    ours: async () => {
      version += 1
      await database.settle()
      return rebuild(settings, store, connectionString, version)
    },
  })
  const against = 'insert … select … group by'
  return { ...emptyMeasurement, name, ...compared, unit: 'events/s', against }
}

async function rebuild(
  settings: BenchSettings,
  store: Store,
  connectionString: string,
  version: number,
): Promise<Trial> {
  const { durationMs } = await store.rebuild(sums(version), { signal: settings.signal })
  await requireSame(connectionString, version)
  await store.drop('sums', version)
  return toRate(settings, durationMs)
}

/** A rate counts only if the rows are those of the statement by hand. */
async function requireSame(connectionString: string, version: number): Promise<void> {
  const [row] = await queryOnce<{ differing: number }>(
    connectionString,
    `select count(*)::integer as differing
     from by_hand as h
     full join sums_v${version}.balances as b using (account)
     where (h.cents, h.credits) is distinct from (b.cents, b.credits)`,
  )
  if (row?.differing !== 0) throw new Error(`${row?.differing} rows differ from those by hand`)
}

function toRate({ events }: BenchSettings, ms: number): Trial {
  return { rate: (events * 1_000) / ms, p50Ms: null, p99Ms: null }
}
