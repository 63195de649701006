import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { migrateOnce } from '../db/installed-log.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { lookalikes, traps } from './traps.ts'

const events = `'[{"type": "noted", "data": {"n": 1}, "tags": ["a"]}, {"type": "noted", "data": {"n": 2}}]'`

/** Statements that go through every function, trigger and view; each needs no operator of its own. */
const everything = [
  `select * from tidemark.append('a-1', 'absent', ${events})`,
  `select * from tidemark.append('a-1', '2', ${events})`,
  `select outcome, version from tidemark.append_stream(
    'a-1', '4', '{018f3f7e-7b1c-7c3e-8000-000000000005}', '{noted}', '{1}', '{1}', '{"{}"}', '{"{a}"}')`,
  `select conflicts, versions from tidemark.append_streams(
    '{a-1,b-1}', '{any,absent}', '{1,2}', '{a-1,b-1}', '{1,1}',
    '{018f3f7e-7b1c-7c3e-8000-000000000001,018f3f7e-7b1c-7c3e-8000-000000000002}',
    '{noted,noted}', '{1,1}', '{1,2}', '{"{}","{}"}')`,
  `insert into tidemark.events (stream_id, version, event_id, type, data)
    values ('c-1', 1, '018f3f7e-7b1c-7c3e-8000-000000000003', 'noted', '{}')`,
  `select * from tidemark.append('e-1', 'any', ${events}, 'key-1')`,
  `select * from tidemark.append('e-1', 'any', ${events}, 'key-1')`,
  `select outcomes, versions, incarnation from tidemark.append_group(
    '{f-1,g-1}', '{1,2,1}', '{any,absent,any}', '{1,1,1}', '{k-1,null,k-1}', false,
    '{1,2,3}', '{f-1,g-1,f-1}', '{1,1,1}', '{018f3f7e-7b1c-7c3e-8000-000000000005,
    018f3f7e-7b1c-7c3e-8000-000000000006,018f3f7e-7b1c-7c3e-8000-000000000007}',
    '{noted,noted,noted}', '{1,1,1}', '{"{}","{}","{}"}', '{"{}","{}","{}"}', null)`,
  `select tidemark.publish('orders.order.placed', '{"n": 1}', 'order-1', '{"a": "b"}',
    '018f3f7e-7b1c-7c3e-8000-000000000008')`,
  `select incarnation from tidemark.publish_messages(
    '{018f3f7e-7b1c-7c3e-8000-000000000009}', '{orders}', '{k}', '{1}', null)`,
  `select * from tidemark.sequence_from_table(0, 'x', '1:1000000:', '0/1')`,
  `select position, topic, key, data, headers from tidemark.read_outbox(0, 100, '{orders.#}')`,
  `select position, topic, key, data, headers from tidemark.read_outbox(0, 1)`,
  `select position, stream_id, version, type, data, tags from tidemark.read_log(0, 100, '{noted}')`,
  `select position, stream_id, version, type, data, tags from tidemark.read_log(0, 1)`,
  'select position, stream_id, version, type, data from tidemark.log order by position',
  'select stream_id, version from tidemark.streams order by stream_id',
  `select * from tidemark.snapshot_is_visible('1:1:')`,
  'select generation from tidemark.take_lead(1)',
  `select tidemark.record_idle(2, '0/2')`,
  'select tidemark.hold_ledger()',
  `select * from tidemark.sequence_commits(2, 12, '{}', '{}', '{}', '{}', '{}')`,
  `select * from tidemark.sequence_from_table(2, null, '1:1000000:', null)`,
  `select * from tidemark.sequence_window(3, '1:1000001:')`,
  `select * from tidemark.follow_slot(3, 'x', '0/1', '1:1000002:')`,
]

const refused = [
  `insert into tidemark.events (stream_id, version, event_id, type, data)
    values ('d-1', 2, '018f3f7e-7b1c-7c3e-8000-000000000004', 'noted', '{}')`,
  `select * from tidemark.append('a-1', 'absent', ${events})`,
  'delete from tidemark.events',
  `update tidemark.outbox set key = 'x'`,
  'select * from tidemark.take_lead(77)',
]

/** Runs all of it in one session, and tells what came of each statement. */
async function runEverything(client: pg.ClientBase): Promise<unknown[]> {
  const outcomes: unknown[] = []
  for (const statement of [...everything, ...refused]) {
    const outcome = await client.query(statement).then(
      ({ rows }) => rows.map(({ token: _token, transaction_id: _id, ...row }) => row),
      ({ code, message }) => ({ code, message }),
    )
    outcomes.push({ statement, outcome })
  }
  return outcomes
}

async function runAfter(prepare: (client: pg.Client, database: TestDatabase) => Promise<void>) {
  await using database = await createTestDatabase()
  const client = await database.client()
  await prepare(client, database)
  const outcomes = await runEverything(client)
  await client.end()
  return outcomes
}

describe('everything does the same', () => {
  const undisturbed = runAfterOnce()

  test('as it does on its own', async () => {
    const outcomes = (await undisturbed()) as { outcome: unknown }[]
    const failed = outcomes.filter(({ outcome }) => !Array.isArray(outcome))
    expect(failed).toHaveLength(refused.length)
  })

  test('when functions, operators and tables of the same names come first', async () => {
    const outcomes = await runAfter(async (client) => {
      await client.query(`${traps}; ${lookalikes('evil')}`)
      await client.query('set search_path = evil, pg_catalog')
      // The traps are set: what is called by its bare name is the evil one.
      await expect(client.query(`select hashtextextended('a', 1)`)).rejects.toThrow(/evil function/)
      await expect(client.query('select 1::bigint + 1::bigint')).rejects.toThrow(/evil operator/)
    })
    expect(outcomes).toEqual(await undisturbed())
  })

  test('when temporary tables have the names of ours', async () => {
    const outcomes = await runAfter(async (client) => {
      await client.query(lookalikes('pg_temp'))
    })
    expect(outcomes).toEqual(await undisturbed())
  })

  test('when temporary tables have the names of types', async () => {
    const outcomes = await runAfter(async (client) => {
      for (const type of [
        'text',
        'jsonb',
        'uuid',
        'record',
        'regclass',
        'oid',
        'xid8',
        'log_row',
      ]) {
        await client.query(`create temp table "${type}" (id integer)`)
      }
    })
    expect(outcomes).toEqual(await undisturbed())
  })

  test('when the search path is empty', async () => {
    const outcomes = await runAfter(async (client) => {
      await client.query(`set search_path = ''`)
    })
    expect(outcomes).toEqual(await undisturbed())
  })

  test('when the traps stood before the log was installed', async () => {
    const outcomes = await runAfter(async (client, database) => {
      await client.query(`drop publication tidemark_log; drop schema tidemark cascade`)
      await client.query(`${traps}; ${lookalikes('evil')}`)
      await client.query(`alter database ${database.name} set search_path = evil, public`)
      await migrateOnce(database.connectionString)
    })
    expect(outcomes).toEqual(await undisturbed())
  })
})

/** What happens where nobody interferes, found out once. */
function runAfterOnce(): () => Promise<unknown[]> {
  let outcomes: Promise<unknown[]> | undefined
  return () => {
    outcomes ??= runAfter(async () => {})
    return outcomes
  }
}
