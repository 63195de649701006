import { createStore } from '../src/index.ts'
import { AccountCredited, credit, randomAccounts } from './accounts.ts'
import type { BenchDatabase } from './bench-database.ts'
import type { BenchSettings } from './benchmark.ts'
import { startWorkerProcess } from './worker-process.ts'

const eventsPerCall = 1_000
const streams = 16

/** Fills the log with events in commits of 1,000, and sequences them. */
export async function loadLog(settings: BenchSettings, database: BenchDatabase): Promise<void> {
  const { events, signal } = settings
  const { connectionString } = database
  settings.say(`loading ${events.toLocaleString('en')} events`)
  await using _worker = await startWorkerProcess({ connectionString, keys: null }, signal)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  const accounts = randomAccounts()
  for (let loaded = 0, call = 0; loaded < events; loaded += eventsPerCall, call += 1) {
    signal.throwIfAborted()
    const count = Math.min(eventsPerCall, events - loaded)
    const batch = Array.from({ length: count }, () => credit(accounts.next().value))
    const { token } = await store.append(`account-${call % streams}`, batch)
    if (loaded + count === events)
      await store.waitFor(token, undefined, { timeoutMs: 60_000, signal })
  }
  // As autovacuum would leave it: otherwise the first reader sets hint bits for all that follow.
  await database.execute('vacuum (analyze) tidemark.events, tidemark.commits')
  await database.settle()
}
