import { createStore } from '../src/index.ts'
import { AccountCredited, credit, randomAccounts } from './accounts.ts'
import type { BenchDatabase } from './bench-database.ts'
import type { BenchSettings } from './benchmark.ts'

const eventsPerCall = 1_000
const streams = 16

/** Fills the log with events that have one tag of 100,000 each. Does not sequence them. */
export async function loadTaggedLog(
  settings: BenchSettings,
  database: BenchDatabase,
): Promise<void> {
  const { events, signal } = settings
  const { connectionString } = database
  settings.say(`loading ${events.toLocaleString('en')} tagged events`)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  const accounts = randomAccounts()
  for (let loaded = 0, call = 0; loaded < events; loaded += eventsPerCall, call += 1) {
    signal.throwIfAborted()
    const count = Math.min(eventsPerCall, events - loaded)
    const batch = Array.from({ length: count }, () => {
      const account = accounts.next().value
      return { ...credit(account), tags: [`account:${account}`] }
    })
    await store.append(`account-${call % streams}`, batch)
  }
  await database.execute('vacuum (analyze) tidemark.events, tidemark.event_tags')
  await database.settle()
}
