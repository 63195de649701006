import { createStore } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { type Emmett, emmettPackage, importEmmett } from './emmett.ts'
import { contrast, repeat, summarize, type Trial } from './trial.ts'

const names = ['append/emmett', 'append/emmett-itself'] as const
const writers = 32

/** How fast one-event appends are, beside those of Emmett on the same server. */
export const appendEmmettBenchmark: Benchmark = createAppendEmmettBenchmark(importEmmett)

/** Makes the benchmark. It measures nothing, and says so, when there is no Emmett to import. */
export function createAppendEmmettBenchmark(importPeer: () => Promise<Emmett | null>): Benchmark {
  return {
    names,
    run: async (settings) => {
      const emmett = await importPeer()
      if (emmett !== null) return appendEmmett(settings, emmett)
      settings.say(
        `${names[0]}: skipped, ${emmettPackage} is not installed: npm ci --prefix bench/peers`,
      )
      return []
    },
  }
}

async function appendEmmett(
  settings: BenchSettings,
  emmett: Emmett,
): Promise<readonly Measurement[]> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await using theirLog = await emmett.createLog(database, writers)
  await using store = await createStore({
    connectionString,
    events: [AccountCredited],
    maxConnections: writers,
  })
  const theirs: Trial[] = []
  const ours: Trial[] = []
  const calls = { theirs: 0, ours: 0 }

  await repeat(settings, names[0], async (run) => {
    await database.settle()
    const callTheirs = (writer: number) => {
      calls.theirs += 1
      return theirLog.append(`account-${run}-${writer}`, [calls.theirs])
    }
    theirs.push(await closedLoop(settings, { writers, perCall: 1, call: callTheirs }))
    await database.settle()
    const callOurs = (writer: number) => {
      calls.ours += 1
      return store.append(`account-${run}-${writer}`, credit(calls.ours), { expect: 'any' })
    }
    ours.push(await closedLoop(settings, { writers, perCall: 1, call: callOurs }))
  })
  requireAll('Emmett', await theirLog.countEvents(), calls.theirs)
  requireAll('tidemark', await countEvents(connectionString), calls.ours)

  const common = { ...emptyMeasurement, unit: 'events/s', timesOf: 'a call' }
  const against = `Emmett ${emmett.version}, ${writers} writers`
  return [
    { ...common, name: names[0], ...contrast(theirs, ours), against },
    { ...common, name: names[1], ...summarize(theirs) },
  ]
}

async function countEvents(connectionString: string): Promise<number> {
  const sql = 'select count(*)::integer as events from tidemark.events'
  const [row] = await queryOnce<{ events: number }>(connectionString, sql)
  return row?.events ?? 0
}

/** A rate counts only if what was answered is stored. */
function requireAll(who: string, stored: number, appended: number): void {
  if (stored !== appended) throw new Error(`${who} stored ${stored} events of ${appended}`)
}
