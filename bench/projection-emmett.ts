import { createStore, type Store } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited, balances } from './accounts.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { type Balance, firstAccounts, requireBalances } from './check-balances.ts'
import { type Emmett, type EmmettLog, emmettPackage, importEmmett } from './emmett.ts'
import type { CatchUp, EmmettSettings } from './emmett-projection.ts'
import { loadLog } from './load-log.ts'
import { contrast, repeat, summarize, type Trial } from './trial.ts'

const names = [
  'projection/emmett',
  'projection/emmett-defaults',
  'projection/emmett-itself',
] as const
const keys = 1_000
const connections = 10
const eventsPerCall = 1_000
const streams = 16

/**
 * Most events that Emmett catches up with, the first of those that tidemark does: what it does in
 * some seconds by the fast settings, and in half a minute by its defaults. Fewer do not hurt its
 * rate: each of its batches is read by a scan of all events that are stored (see `README.md`).
 */
const emmettEvents = 20_000

/** The fastest of those tried (see `README.md`). */
const fast: EmmettSettings = {
  pulling: { batchSize: 1_000, pullingFrequencyInMs: 0 },
  createsCollection: 'beforehand',
}
const defaults: EmmettSettings = { pulling: null, createsCollection: 'by each event' }

type Trials = Record<'fast' | 'defaults' | 'ours', Trial[]>

/** How fast a fold catches up, beside an asynchronous Pongo projection of Emmett's. */
export const projectionEmmettBenchmark: Benchmark = createProjectionEmmettBenchmark(importEmmett)

/** Makes the benchmark. It measures nothing, and says so, when there is no Emmett to import. */
export function createProjectionEmmettBenchmark(
  importPeer: () => Promise<Emmett | null>,
): Benchmark {
  return {
    names,
    run: async (settings) => {
      const emmett = await importPeer()
      if (emmett !== null) return projectionEmmett(settings, emmett)
      settings.say(
        `${names[0]}: skipped, ${emmettPackage} is not installed: npm ci --prefix bench/peers`,
      )
      return []
    },
  }
}

async function projectionEmmett(
  settings: BenchSettings,
  emmett: Emmett,
): Promise<readonly Measurement[]> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  // The first version is live from the start, and a live one is never rebuilt.
  await store.rebuild(balances(keys, 1))
  await loadLog(settings, database)
  await using theirLog = await emmett.createLog(database, connections)
  const theirEvents = Math.min(emmettEvents, settings.events)
  settings.say(`loading the first ${theirEvents.toLocaleString('en')} events into Emmett`)
  await loadTheirs(settings, database, theirLog, theirEvents)

  const catchUpTheirs = (name: string, how: EmmettSettings) =>
    theirs(database, theirLog, {
      name,
      keys,
      events: theirEvents,
      settings: how,
      signal: settings.signal,
    })
  const catchUpOurs = (version: number) => ours(settings, database, store, version)
  await catchUpTheirs('warm_up', fast)
  await catchUpOurs(2)

  const trials: Trials = { fast: [], defaults: [], ours: [] }
  await repeat(settings, names[0], async (run) => {
    trials.fast.push(await catchUpTheirs(`fast_${run}`, fast))
    trials.ours.push(await catchUpOurs(run + 2))
    trials.defaults.push(await catchUpTheirs(`defaults_${run}`, defaults))
  })
  return toMeasurements(trials, `Emmett ${emmett.version}`, theirEvents)
}

function toMeasurements(trials: Trials, who: string, events: number): readonly Measurement[] {
  const common = { ...emptyMeasurement, unit: 'events/s' }
  const beside = (theirs: readonly Trial[]) => ({ ...common, ...contrast(theirs, trials.ours) })
  const of = `of ${events.toLocaleString('en')} events`
  return [
    { ...beside(trials.fast), name: names[0], against: `${who}, tuned, ${of}` },
    { ...beside(trials.defaults), name: names[1], against: `${who}, by default, ${of}` },
    { ...common, name: names[2], ...summarize(trials.fast) },
  ]
}

/** Fills Emmett's store with the first events, in the streams and commits of `loadLog`. */
async function loadTheirs(
  { signal }: BenchSettings,
  database: BenchDatabase,
  log: EmmettLog,
  events: number,
): Promise<void> {
  const accounts = firstAccounts(events)
  for (let loaded = 0, call = 0; loaded < events; loaded += eventsPerCall, call += 1) {
    signal.throwIfAborted()
    await log.append(`account-${call % streams}`, accounts.slice(loaded, loaded + eventsPerCall))
  }
  await database.execute('vacuum (analyze) emt_messages')
}

async function theirs(database: BenchDatabase, log: EmmettLog, order: CatchUp): Promise<Trial> {
  await database.settle()
  const ms = await log.catchUp(order)
  const documents = `
    select _id::integer as account, (data ->> 'cents')::float8 as cents,
      (data ->> 'credits')::integer as credits
    from ${order.name}`
  requireBalances('Emmett', await queryOnce<Balance>(database.connectionString, documents), order)
  return toTrial(order.events, ms)
}

/** Builds a version from the start of the log and drops it again. Only the building counts. */
async function ours(
  { events, signal }: BenchSettings,
  database: BenchDatabase,
  store: Store,
  version: number,
): Promise<Trial> {
  await database.settle()
  const projection = balances(keys, version)
  const { durationMs } = await store.rebuild(projection, { signal })
  const rows = `
    select account, cents::float8 as cents, credits from ${projection.name}_v${version}.balances`
  const found = await queryOnce<Balance>(database.connectionString, rows)
  requireBalances('tidemark', found, { events, keys })
  await store.drop(projection.name, version)
  return toTrial(events, durationMs)
}

function toTrial(events: number, ms: number): Trial {
  return { rate: (events * 1_000) / ms, p50Ms: null, p99Ms: null }
}
