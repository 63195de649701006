import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, migrate, projection, runWorker, table, text } from '../../src/index.ts'
import { type DoctorOptions, diagnose } from '../../src/worker/doctor/diagnose.ts'
import type { DoctorFinding } from '../../src/worker/doctor/diagnosis.ts'
import { untilStreaming } from '../cli/slots.ts'
import { inBackground } from '../sequencer/background.ts'
import { append, dropLogSlots, sequenceNow, untilSequenced } from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import {
  createTestDatabase,
  type TestDatabase,
  type TestDatabaseOptions,
} from '../support/database.ts'
import { until } from '../support/until.ts'

async function createDatabase(options?: TestDatabaseOptions): Promise<TestDatabase> {
  const database = await createTestDatabase(options)
  onTestFinished(async () => {
    await dropLogSlots(database.connectionString)
    await database[Symbol.asyncDispose]()
  })
  return database
}

/** Of a publication; servers know such lists since version 15. */
const columns = inject('postgres').version >= 150_000 ? '(incarnation, transaction_id)' : ''

/** What the doctor says of one check, without waiting long for anybody. */
async function examine(
  { connectionString }: { readonly connectionString: string },
  check: DoctorFinding['check'],
  options: DoctorOptions = {},
): Promise<DoctorFinding[]> {
  const { findings } = await diagnose({ connectionString, graceMs: 1, ...options })
  return findings.filter((finding) => finding.check === check)
}

/** Every finding that says something is wrong says also what to do. */
function saying(severity: DoctorFinding['severity'], reason: string, remedy?: string) {
  return expect.objectContaining({
    severity,
    reason: expect.stringContaining(reason),
    remedy: severity === 'ok' ? null : expect.stringContaining(remedy ?? ''),
  })
}

const Noted = event('noted').v(1, z.object({ key: z.string() }))
const notes = projection('notes', {
  version: 1,
  events: [Noted],
  tables: { note: table({ key: text().primaryKey() }) },
}).fold('note', { key: ({ data }) => ({ key: data.key }), on: { noted: () => ({}) } })

/** Leads for a moment, so that there are a slot and a position. */
async function leadOnce({ connectionString, pool }: TestDatabase): Promise<string> {
  await using sequencer = startSequencer({ connectionString })
  await untilSequenced(pool, await append(pool, 'note-1'))
  await sequencer.untilLeading()
  await sequencer.stop()
  return until('the slot to be free', async (saw) => {
    const { rows } = await pool.query<{ slot_name: string; active: boolean }>(
      'select slot_name, active from pg_replication_slots where database = current_database()',
    )
    saw(rows)
    return rows[0]?.active === false ? rows[0].slot_name : undefined
  })
}

test('makes every check of a log that works, and finds none of them wrong', async () => {
  const { connectionString, pool } = await createDatabase()
  await using worker = inBackground((signal) =>
    runWorker({ connectionString, projections: [notes] }, signal),
  )
  await using store = await createStore({ connectionString, events: [Noted] })
  const { token } = await store.append('note-1', Noted({ key: 'a' }))
  await store.waitFor(token, notes)
  await untilStreaming(pool)
  const { findings } = await store.doctor()
  expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([
    expect.objectContaining({ check: 'wal-keep-size', severity: 'warning' }),
  ])
  expect(findings.map(({ check }) => check)).toEqual([
    'server-version',
    'standby',
    'wal-level',
    'clock',
    'pooler',
    'wal-keep-size',
    'replication-slots',
    'wal-senders',
    'transactions',
    'locks',
    'log',
    'cluster',
    'privileges',
    'mode',
    'publication',
    'slot',
    'retained-wal',
    'leader',
    'subscriptions',
    'unsequenced',
  ])
  await worker.stop()
})

test('says that there is no log, and still examines the server', async () => {
  const { connectionString, name } = await createDatabase({ template: false })
  const { findings } = await diagnose({ connectionString })
  expect(findings.at(-1)).toEqual({
    check: 'log',
    severity: 'error',
    reason: 'there is no log in schema "tidemark"',
    remedy: expect.stringContaining('tidemark migrate'),
  })
  expect(findings.map(({ check }) => check)).toContain('wal-senders')
  const missing = connectionString.replace(name, `${name}_none`)
  await expect(diagnose({ connectionString: missing })).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
  })
})

test('says that the clocks differ, by how much and in which direction', async () => {
  const database = await createDatabase()
  const shifted = (ms: number) => ({ now: () => Date.now() + ms })
  expect(await examine(database, 'clock')).toEqual([saying('ok', '5000 ms')])
  expect(await examine(database, 'clock', shifted(60_000))).toEqual([
    saying('warning', "ms behind this machine's", 'NTP'),
  ])
  expect(await examine(database, 'clock', shifted(-60_000))).toEqual([
    saying('warning', "ms ahead of this machine's", 'NTP'),
  ])
})

describe('transactions', () => {
  const old = { maxTransactionAgeMs: 0 }

  test('that are idle are named with their process when they hold something back', async () => {
    const database = await createDatabase()
    const client = await database.client({ application_name: 'forgetful' })
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const mine = async (bound: DoctorOptions = old) =>
      (await examine(database, 'transactions', bound)).filter(({ reason }) =>
        reason.includes('"forgetful"'),
      )
    await client.query('begin')
    expect(await mine()).toEqual([])
    await client.query('select pg_current_xact_id()')
    const pid = rows[0].pid
    expect(await mine()).toEqual([
      saying('warning', `process ${pid} (idle in transaction`, `pg_terminate_backend(${pid})`),
    ])
    expect(await mine({})).toEqual([])
    await client.query('rollback')
    expect(await mine()).toEqual([])
  })

  test('that are prepared are named', async () => {
    const database = await createDatabase()
    const client = await database.client()
    const id = `it's ${database.name}`
    await client.query('begin; select pg_current_xact_id()')
    await client.query(`prepare transaction '${id.replace("'", "''")}'`)
    const found = await examine(database, 'transactions', old)
    await client.query(`rollback prepared '${id.replace("'", "''")}'`)
    expect(found).toContainEqual(
      saying(
        'warning',
        `prepared transaction "${id}"`,
        `roll back prepared 'it''s ${database.name}'`,
      ),
    )
  })
})

test('a worker that waits for a lock is told, with the table and who holds it', async () => {
  const database = await createDatabase()
  await database.pool.query('create table held (id integer)')
  const holder = await database.client()
  await holder.query("set application_name to 'somebody'; begin; lock table held")
  const worker = await database.client()
  await worker.query("set application_name to 'tidemark worker'")
  const waiting = worker.query('select from held')
  const found = await until('the wait to be told', async (saw) => {
    const findings = await examine(database, 'locks')
    saw(findings)
    return findings[0]?.severity === 'warning' && findings
  })
  await holder.query('rollback')
  await waiting
  expect(found).toEqual([
    saying('warning', 'a lock on public.held, held by process', 'pg_terminate'),
  ])
  expect(found[0]?.reason).toContain('application "somebody"')
  expect(await examine(database, 'locks')).toEqual([saying('ok', 'no worker waits')])
})

describe('the publication', () => {
  test.for([
    ['drop publication tidemark_log', 'does not exist'],
    ['alter publication tidemark_log drop table tidemark.events', 'lacks table'],
    ["alter publication tidemark_log set (publish = 'update')", 'does not publish inserts'],
  ] as const)('is found broken after: %s', async ([statement, reason]) => {
    const database = await createDatabase()
    await database.pool.query(statement)
    expect(await examine(database, 'publication')).toEqual([
      saying('error', reason, '`tidemark migrate`'),
    ])
  })

  test('is found changed since the slot was made, even if it is as it was', async () => {
    const database = await createDatabase()
    await leadOnce(database)
    expect(await examine(database, 'publication')).toEqual([saying('ok', 'tidemark_log')])
    await database.pool.query(/* sql */ `
      alter publication tidemark_log drop table tidemark.events;
      alter publication tidemark_log add table tidemark.events ${columns}`)
    expect(await examine(database, 'publication')).toEqual([
      saying('warning', 'was changed since the slot was made', 'run a worker'),
    ])
  })
})

describe('the slot', () => {
  test('may be none yet, not active, gone, or one that was left over', async () => {
    const database = await createDatabase()
    const { pool } = database
    expect(await examine(database, 'slot')).toEqual([saying('ok', 'none yet')])
    const name = await leadOnce(database)
    expect(await examine(database, 'slot')).toEqual([
      saying('warning', `"${name}" is not active`, 'drop-slots'),
    ])
    await pool.query("update tidemark.sequencer set slot_name = 'tidemark_gone'")
    expect(await examine(database, 'slot')).toEqual([
      saying('warning', '"tidemark_gone" does not exist', 'run a worker'),
      saying('warning', `"${name}" is not the recorded one`, 'drops it'),
    ])
  })

  test('keeps WAL, which is too much when it is over the bound', async () => {
    const database = await createDatabase()
    const name = await leadOnce(database)
    await database.pool.query("select pg_logical_emit_message(true, 'noise', repeat('x', 10000))")
    expect(await examine(database, 'retained-wal')).toEqual([saying('ok', '1073741824 bytes')])
    expect(await examine(database, 'retained-wal', { maxRetainedBytes: 5_000n })).toEqual([
      saying('warning', `"${name}" keeps `, 'drop-slots'),
    ])
  })
})

test('an event that nobody gives a position is found; one that is not committed is not', async () => {
  const database = await createDatabase()
  const { pool } = database
  const client = await database.client()
  await client.query('begin')
  await append(client, 'note-1', 2)
  expect(await examine(database, 'unsequenced')).toEqual([saying('ok', '1 ms')])
  await client.query('commit')
  expect(await examine(database, 'leader')).toEqual([saying('error', 'no worker', 'worker')])
  expect(await examine(database, 'unsequenced')).toEqual([
    saying('error', 'without a position: 2, ', 'tidemark worker'),
  ])
  await sequenceNow(pool)
  expect(await examine(database, 'unsequenced')).toEqual([saying('ok', '1 ms')])
})

test('an event without a position is given the time of grace before it is a finding', async () => {
  const database = await createDatabase()
  await append(database.pool, 'note-1')
  const began = performance.now()
  expect(await examine(database, 'unsequenced', { graceMs: 2_000 })).toEqual([
    saying('error', 'for more than 2000 ms'),
  ])
  expect(performance.now() - began).toBeGreaterThan(2_000)
})

describe('a subscription', () => {
  test('that failed, is behind or has no process is named; a retired version is not', async () => {
    const database = await createDatabase()
    const { pool } = database
    await append(pool, 'note-1', 3)
    await sequenceNow(pool)
    await pool.query(/* sql */ `
      insert into tidemark.projections
        (name, version, state, schema_name, view_schema, definition_hash)
      values ('orders', 1, 'retired', 'orders_v1', 'orders', 'x');
      insert into tidemark.subscriptions (kind, name, version, position, state, error)
      values
        ('projection', 'orders', 1, 0, 'active', null),
        ('reactor', 'broken', 1, 2, 'failed', '{"message": "handler threw"}'),
        ('reactor', 'idle', 1, 1, 'active', null)`)
    expect(await examine(database, 'subscriptions')).toEqual([
      saying('error', 'reactor "broken" failed at position 2: handler threw', 'mend'),
      saying('warning', 'no process delivers reactor "idle", 2 events behind', 'run a worker'),
    ])
  })

  test('that has drifted or is half built has a remedy of its own', async () => {
    const database = await createDatabase()
    await database.pool.query(/* sql */ `
      insert into tidemark.projections
        (name, version, state, schema_name, view_schema, definition_hash)
      values ('orders', 2, 'building', 'orders_v2', 'orders', 'x');
      insert into tidemark.subscriptions (kind, name, version, state, error)
      values
        ('projection', 'drifted', 1, 'failed', '{"code": "PROJECTION_DRIFTED", "message": "no column"}'),
        ('projection', 'orders', 2, 'active', null)`)
    expect(await examine(database, 'subscriptions')).toEqual([
      saying('error', 'failed at position 0: no column', 'undo the change, and it goes on'),
      saying('warning', 'no process delivers', 'run `tidemark rebuild orders --version 2`'),
    ])
  })

  test('that somebody delivers is told when it is further behind than the bound', async () => {
    const database = await createDatabase()
    const { connectionString } = database
    await using worker = inBackground((signal) =>
      runWorker({ connectionString, projections: [notes] }, signal),
    )
    await using store = await createStore({ connectionString, events: [Noted] })
    const { token } = await store.append('note-1', Noted({ key: 'a' }))
    await store.waitFor(token, notes)
    // The worker can pass none of it until the row of its subscription is free.
    const client = await database.client()
    await client.query('begin; select from tidemark.subscriptions for update')
    await store.waitFor((await store.append('note-1', Noted({ key: 'b' }))).token)
    expect(await examine(database, 'subscriptions')).toEqual([saying('ok', '10000 events')])
    expect(await examine(database, 'subscriptions', { maxLag: 0n })).toEqual([
      saying('warning', 'projection "notes" version 1 is 1 events behind, over 0', 'handlers'),
    ])
    await client.query('rollback')
    await worker.stop()
  })
})

test('a log that came from another cluster is told, until a worker has run', async () => {
  const database = await createDatabase()
  expect(await examine(database, 'cluster')).toEqual([saying('ok', 'incarnation 1')])
  await database.pool.query('update tidemark.sequencer set system_identifier = 1')
  expect(await examine(database, 'cluster')).toEqual([
    saying('warning', 'another cluster', 'or a worker'),
  ])
  await leadOnce(database)
  expect(await examine(database, 'cluster')).toEqual([saying('ok', 'incarnation 2')])
  // As where the row came in by COPY: another transaction wrote it than it says.
  await database.pool.query("update tidemark.home set transaction_id = '3'")
  expect(await examine(database, 'cluster')).toEqual([
    saying('error', 'takes no appends', 'tidemark migrate'),
  ])
  await migrate({ connectionString: database.connectionString, jobSchema: false })
  expect(await examine(database, 'cluster')).toEqual([saying('ok', 'incarnation 3')])
})
