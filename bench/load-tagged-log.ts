import { connect } from '../src/db/connect.ts'
import { AccountCredited, creditData, randomAccounts } from './accounts.ts'
import type { BenchDatabase } from './bench-database.ts'
import type { BenchSettings } from './benchmark.ts'

/** One connection and one stream each. */
const writers = 2

/** A transaction takes a lock for each of its tags, and a server has room for some thousands. */
const eventsPerCommit = 1_000

/**
 * Past the functions, not past the guard, which checks versions and fills in the tags. Two writers of
 * it take two thirds to half of the time that a store takes in calls of 1,000 (2026-11-21).
 */
const insertSql = /* sql */ `
  insert into tidemark.events (stream_id, version, event_id, type, data, tags)
  select $1, $2::bigint + n.ordinality, gen_random_uuid(), $3, n.data::jsonb,
    array['account:' || n.account]
  from unnest($4::integer[], $5::text[]) with ordinality as n (account, data, ordinality)`

/** Fills the log with so many events that have one tag of 100,000 each. Does not sequence them. */
export async function loadTaggedLog(
  settings: BenchSettings,
  database: BenchDatabase,
  events: number,
): Promise<void> {
  settings.say(`loading ${events.toLocaleString('en')} tagged events`)
  const accounts = randomAccounts()
  const load = (_: unknown, writer: number) =>
    loadStream(settings, database, {
      streamId: `loaded-${writer}`,
      events: Math.floor((events + writer) / writers),
      accounts,
    })
  await Promise.all(Array.from({ length: writers }, load))
  await database.execute('vacuum (analyze) tidemark.events, tidemark.event_tags')
  await database.settle()
}

interface Load {
  readonly streamId: string
  readonly events: number
  readonly accounts: Generator<number, never>
}

async function loadStream(
  { signal }: BenchSettings,
  { connectionString }: BenchDatabase,
  { streamId, events, accounts }: Load,
): Promise<void> {
  const client = await connect({ connectionString, applicationName: 'bench load' })
  try {
    await client.query('set synchronous_commit = off') // the checkpoint at the end writes it all
    for (let version = 0; version < events; version += eventsPerCommit) {
      signal.throwIfAborted()
      const count = Math.min(eventsPerCommit, events - version)
      const batch = Array.from({ length: count }, () => accounts.next().value)
      const data = batch.map((account) => JSON.stringify(creditData(account)))
      const values = [streamId, version, AccountCredited.type, batch, data]
      await client.query({ name: 'load', text: insertSql, values })
    }
  } finally {
    await client.end()
  }
}
