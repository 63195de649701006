import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { breakFunction } from '../support/break-function.ts'
import { useDatabase } from '../support/database.ts'
import { explain, type StoredEvent } from './every-append/explain.ts'
import { type History, perform } from './every-append/perform.ts'
import { type Schedule, schedules } from './every-append/schedule.ts'

const database = useDatabase()
let pools: readonly [pg.Pool, pg.Pool]

beforeAll(async () => {
  // Transactions of several calls may deadlock with each other; nobody wants to wait a second for that.
  await database.pool.query(`alter database ${database.name} set deadlock_timeout = '20ms'`)
  const { connectionString } = database
  pools = [createPool({ connectionString, max: 12 }), createPool({ connectionString, max: 12 })]
})

afterAll(() => Promise.all(pools.map((pool) => pool.end())))

let runs = 0

async function check(schedule: Schedule): Promise<History> {
  runs += 1
  const history = await perform(pools, `run${runs}`, schedule)
  explain(history, await readEvents(history.prefix), await readKeys(history.prefix))
  return history
}

/** Reads all events of a run, by stream and version. */
async function readEvents(prefix: string): Promise<StoredEvent[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
      select stream_id, version, insert_id, event_id, type, (data ->> 'n')::integer as n, tags,
        metadata ->> 'attempt' as attempt, incarnation || '.' || transaction_id as token
      from tidemark.events
      where starts_with(stream_id, $1)
      order by stream_id, events.version`,
    [`${prefix}-`],
  )
  return rows.map(({ stream_id, version, insert_id, event_id, ...row }) => ({
    ...row,
    streamId: stream_id,
    version: BigInt(version),
    insertId: BigInt(insert_id),
    id: event_id,
  }))
}

async function readKeys(prefix: string): Promise<string[]> {
  const { rows } = await database.pool.query(
    'select key from tidemark.append_keys where starts_with(key, $1)',
    [`${prefix} `],
  )
  return rows.map(({ key }) => key)
}

/** What happened in a run, by kind. */
function kindsOf({ units }: History): string[] {
  return units.flatMap(({ end, tries }) => [
    end,
    ...tries.map(({ outcome }) => {
      if ('code' in outcome) return outcome.code
      return outcome.replayed ? 'replayed' : 'appended'
    }),
  ])
}

test('appends of every kind at once come out as if one came after the other', {
  timeout: 120_000,
}, async () => {
  const met = new Set<string>()
  const property = fc.asyncProperty(schedules, async (schedule) => {
    for (const kind of kindsOf(await check(schedule))) met.add(kind)
    met.delete('deadlock') // may happen to transactions of several calls, and need not
  })
  // Not shrunk: the interleaving would be another. A failure prints the seed and path of its schedule,
  // which can be given here to have that schedule again.
  await fc.assert(property, { numRuns: 50, endOnFailure: true })
  expect([...met].toSorted()).toEqual([
    'APPEND_CONDITION_FAILED',
    'APPEND_KEY_REUSED',
    'STREAM_VERSION_CONFLICT',
    'appended',
    'commit',
    'replayed',
    'rollback',
  ])
})

test.for<[fault: string, name: string, text: string, broken: string]>([
  ['conditions always hold', 'condition_holds', 'return not exists', 'return true or not exists'],
  [
    'a condition fails for what its reader has seen',
    'condition_holds',
    "v_snapshot := split_part(after, '/', 2)::pg_snapshot",
    'null',
  ],
  [
    'a condition forgets what is on its way',
    'condition_holds',
    'k.lock_key = any (v_alone)',
    'false',
  ],
  ['a condition sees one tag of several', 'find_by_query_item', 'e.tags @> v_tags', 'true'],
  [
    'a condition counts what its own transaction wrote',
    'condition_holds',
    'm.transaction_id <> v_own',
    'true',
  ],
  [
    'a condition is checked again when its append is retried',
    'condition_holds',
    'k.key = condition_holds.key',
    'false',
  ],
  ['tags are not locked', 'lock_appends', 'pg_advisory_xact_lock_shared(t.lock_key)', 'true'],
  [
    'streams are not locked',
    'stream_lock_key',
    'hashtextextended',
    'nullif(0, 0) + hashtextextended',
  ],
  ['keys are not unique', 'find_append', 'k.key = find_append.key', 'false'],
  [
    'keys do not tell what was appended',
    'find_append',
    'k.fingerprint = find_append.fingerprint',
    'true',
  ],
  ['absence is not checked', 'expectation_holds', 'actual = 0', 'true'],
  ['part of an append to many streams is kept', 'append_streams', 'true = any', 'false <> all'],
  ['retries are not told by their ids', 'find_events', '= find_events.event_ids', 'is null'],
  [
    'retries are told by their versions alone',
    'find_events',
    'array_agg(e.event_id order by e.version) = find_events.event_ids',
    'true',
  ],
  [
    'an append of a group gets the version of another',
    'append_group',
    'append_group.versions[v_append] := v_current[v_stream]',
    'append_group.versions[v_append] := v_current[1]',
  ],
])('and when %s, they do not', { timeout: 120_000 }, async ([, name, text, broken]) => {
  await breakFunction(database.pool, name, text, broken)
  const property = fc.asyncProperty(schedules, async (schedule) => {
    await check(schedule)
  })
  const { failed } = await fc.check(property, { numRuns: 200, endOnFailure: true })
  expect(failed).toBe(true)
})
