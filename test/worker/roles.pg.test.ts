import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  createStore,
  integer,
  migrate,
  projection,
  reactor,
  runWorker,
  table,
  task,
  text,
} from '../../src/index.ts'
import { createRole, type TestRole } from '../db/create-role.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { type CapturedLog, captureLog } from '../sequencer/captured-log.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { Account, Deposited, KeptAccount, Opened, Withdrawn } from '../store/deciders.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { queryOnce } from '../support/query-once.ts'
import { until } from '../support/until.ts'

const owned = table({ owner: text().primaryKey(), accounts: integer() })

const owners = projection('owners', {
  version: 1,
  events: [Opened],
  tables: { owned },
}).fold('owned', {
  key: ({ data }) => ({ owner: data.owner }),
  on: { 'account.opened': (row) => ({ accounts: (row?.accounts ?? 0) + 1 }) },
})

/** The next version has a table more. */
const nextOwners = projection('owners', {
  version: 2,
  events: [Opened],
  tables: { owned, streams: table({ stream: text().primaryKey() }) },
})
  .fold('owned', {
    key: ({ data }) => ({ owner: data.owner }),
    on: { 'account.opened': (row) => ({ accounts: (row?.accounts ?? 0) + 1 }) },
  })
  .fold('streams', {
    key: ({ streamId }) => ({ stream: streamId }),
    on: { 'account.opened': () => ({}) },
  })

const done: string[] = []
const greet = task('greet', {
  payload: z.object({ owner: z.string() }),
  run: async ({ owner }) => {
    done.push(owner)
  },
})
const greetings = reactor('greetings', {
  events: [Opened],
  from: 'start',
  on: { 'account.opened': (e) => greet({ owner: e.data.owner }) },
})

let owner: TestRole
let app: TestRole
let reader: TestRole
let worker: TestRole
let database: TestDatabase & AsyncDisposable
let running: Background
let log: CapturedLog

/** The set-up of docs/privileges.md. The owner is no superuser; jobs are the worker's own. */
beforeAll(async () => {
  owner = await createRole()
  app = await createRole()
  reader = await createRole()
  worker = await createRole('replication')
  database = await createTestDatabase({ template: false })
  await database.pool.query(/* sql */ `
    grant create on database ${database.name} to ${owner.name}, ${worker.name};
    grant tidemark_append to ${app.name};
    grant tidemark_read to ${reader.name};
    grant tidemark_worker to ${worker.name}`)
  const connectionString = owner.loginTo(database.connectionString)
  const { warnings, grantees } = await migrate({ connectionString, jobSchema: false })
  expect({ warnings, grantees }).toEqual({
    warnings: [],
    grantees: ['public', 'tidemark_append', 'tidemark_read', 'tidemark_worker'],
  })
  log = captureLog()
  running = inBackground((signal) => runWorker(workerOptions(), signal))
})

afterAll(async () => {
  await running?.stop()
  await dropLogSlots(worker.loginTo(database.connectionString))
  await database?.[Symbol.asyncDispose]()
  for (const role of [owner, app, reader, worker]) await role?.[Symbol.asyncDispose]()
})

const workerOptions = () => ({
  connectionString: worker.loginTo(database.connectionString),
  projections: [owners],
  reactors: [greetings],
  tasks: [greet],
  pollIntervalMs: 100,
  sealIntervalMs: 100,
  logger: log,
})

const events = [Opened, Deposited, Withdrawn]
const openStore = (role: TestRole) =>
  createStore({ connectionString: role.loginTo(database.connectionString), events })

describe('a user with the role append', () => {
  test('appends in every way, and waits until it is sequenced', async () => {
    await using store = await openStore(app)
    const [open, deposit] = [Opened({ owner: 'Ada' }), Deposited({ cents: 5 }, { tags: ['vip'] })]
    await store.append('account-1', open, { expect: 'absent' })
    await store.append('account-1', deposit, { expect: 1n, key: 'once' })
    expect(await store.append('account-1', deposit, { expect: 1n, key: 'once' })).toMatchObject({
      version: 2n,
      replayed: true,
    })
    await expect(store.append('account-1', deposit, { expect: 'absent' })).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
    })
    const cause = await store.readLastEvent('account-1')
    if (cause === undefined) throw new Error('the event is not there')
    await store.append('account-6', deposit, { causedBy: cause })
    const group = Array.from({ length: 20 }, (_, n) => store.append(`account-g${n % 3}`, deposit))
    expect(await Promise.all(group)).toHaveLength(20)
    const many = ['account-2', 'account-3'].map((streamId) => ({ streamId, events: [open] }))
    const [, last] = await store.appendMany(many)
    expect(await store.waitFor(last?.token ?? '')).toBeGreaterThan(0n)

    const query = [{ tags: ['vip'] }]
    const { token } = await store.readQuery(query)
    const condition = { query, after: token }
    await store.appendMany([{ streamId: 'account-4', events: [deposit] }], { condition })
    await expect(
      store.appendMany([{ streamId: 'account-4', events: [deposit] }], { condition }),
    ).rejects.toMatchObject({ code: 'APPEND_CONDITION_FAILED' })
    const decided = await store.decide(query, (found) => ({
      streamId: `account-d${found.length}`,
      events: [deposit],
    }))
    expect(decided).toMatchObject({ ok: true, appended: [{ version: 1n }] })
  })

  test('executes commands, under keys and with snapshots, and loads what they made', async () => {
    await using store = await openStore(app)
    await store.execute(KeptAccount, 'kept', 'open', { owner: 'Bea' })
    for (let n = 0; n < 12; n += 1) await store.execute(KeptAccount, 'kept', 'deposit', 1)
    const first = await store.execute(KeptAccount, 'kept', 'deposit', 1, { key: 'command-1' })
    const again = await store.execute(KeptAccount, 'kept', 'deposit', 1, { key: 'command-1' })
    expect(again).toMatchObject({ ...first, replayed: true })
    const kept = await database.pool.query('select version from tidemark.snapshots')
    expect(kept.rows).not.toEqual([])
    expect(await store.load(KeptAccount, 'kept')).toMatchObject({ state: { cents: 13 } })
    expect(await store.load(Account, 'kept', { version: 3n })).toMatchObject({
      state: { cents: 2 },
    })
    expect(await store.load(Account, 'kept', { position: 1n })).toMatchObject({ version: 0n })
    expect(await store.load(Account, 'kept', { at: new Date(0) })).toMatchObject({ version: 0n })
    expect(await store.readStream('account-kept', { maxEvents: 3 })).toHaveLength(3)
  })

  test('reads a projection once its worker lets it, by default privileges for versions to come', async () => {
    await using store = await openStore(app)
    const { token } = await store.append('account-5', Opened({ owner: 'Cyd' }))
    await store.waitFor(token, owners)
    await queryOnce(
      worker.loginTo(database.connectionString),
      /* sql */ `
      grant usage on schema owners to ${app.name};
      grant select on all tables in schema owners to ${app.name};
      alter default privileges in schema owners grant select on tables to ${app.name}`,
    )
    const db = await store.query(owners, { after: token })
    expect(await db.selectFrom('owned').selectAll().orderBy('owner').execute()).toEqual([
      { owner: 'Ada', accounts: 3 },
      { owner: 'Bea', accounts: 1 },
      { owner: 'Cyd', accounts: 1 },
    ])
  })

  test('can neither run a worker nor seal', async () => {
    await using store = await openStore(app)
    await expect(store.seal()).rejects.toMatchObject({ code: '42501' })
    await expect(store.drop('owners', 1, { live: true })).rejects.toMatchObject({ code: '42501' })
  })
})

describe('a user with the role worker', () => {
  test('has sequenced, projected, run jobs and sealed all of it, and has nothing to complain of', async () => {
    await until('all events to be sealed', async (saw) => {
      const { rows } = await database.pool.query(/* sql */ `
        select (select count(*) from tidemark.events) as events, position as sealed
        from tidemark.seal_head`)
      saw({ ...rows[0], warnings: log.at('warn') })
      return rows[0].events === rows[0].sealed && rows[0].events > 40
    })
    await until('the jobs to be run', (saw) => {
      saw(done)
      return done.length >= 5
    })
    expect(done.toSorted()).toEqual(['Ada', 'Ada', 'Ada', 'Bea', 'Cyd'])
    expect(log.at('warn')).toEqual([])
    expect(log.at('error')).toEqual([])
  })

  test('rebuilds, promotes, rolls back and drops versions of its projections', async () => {
    await using store = await openStore(worker)
    await using reads = await openStore(app)
    await store.rebuild(nextOwners)
    expect(await store.promote('owners')).toMatchObject({ live: 2, before: 1 })
    const next = await reads.query(nextOwners)
    expect(await next.selectFrom('streams').selectAll().execute()).toHaveLength(5)
    expect(await store.rollback('owners')).toMatchObject({ live: 1, before: 2 })
    await store.drop('owners', 2)
    const live = await reads.query(owners)
    expect(await live.selectFrom('owned').selectAll().execute()).toHaveLength(3)
  })

  test('follows the log to another cluster', async () => {
    await running.stop()
    await database.pool.query('update tidemark.sequencer set system_identifier = 1')
    running = inBackground((signal) => runWorker(workerOptions(), signal))
    await using store = await openStore(app)
    await until('the new incarnation', async (saw) => {
      const { rows } = await database.pool.query('select incarnation from tidemark.sequencer')
      saw(rows)
      return rows[0].incarnation === 2
    })
    const { token } = await store.append('account-1', Deposited({ cents: 1 }))
    expect(token).toMatch(/^2\./)
    expect(await store.waitFor(token)).toBeGreaterThan(0n)
  })

  test('cannot append', async () => {
    await using store = await openStore(worker)
    await expect(store.append('account-1', Deposited({ cents: 1 }))).rejects.toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message: expect.stringMatching(
        /^this user may not append .*: grant tidemark_append to this user$/,
      ),
    })
  })
})

describe('a user with the role read', () => {
  test('reads in every way, and proves the log', async () => {
    await using store = await openStore(reader)
    expect(await store.readStream('account-1', { direction: 'backwards' })).toHaveLength(3)
    expect(await store.readLastEvent('account-1')).toMatchObject({ version: 3n })
    expect((await store.readLog({ category: 'account', maxEvents: 5 })).events).toHaveLength(5)
    expect((await store.readLog({ types: ['account.opened'] })).events).toHaveLength(5)
    expect((await store.readLog({ tags: ['vip'], maxEvents: 2 })).events).toHaveLength(2)
    const hour = { recordedFrom: new Date(Date.now() - 3_600_000), recordedTo: new Date() }
    const all = await Array.fromAsync(store.logEvents(hour))
    expect(all.length).toBeGreaterThan(40)
    const effect = all.find(({ streamId }) => streamId === 'account-6')?.id ?? ''
    const [cause] = await store.readCauses(effect)
    expect(cause).toMatchObject({ streamId: 'account-1', version: 2n })
    expect(await store.readEffects(cause?.id ?? '')).toMatchObject([{ id: effect }])
    expect((await store.readQuery([{ tags: ['vip'] }])).events.length).toBeGreaterThan(20)
    expect(await store.load(KeptAccount, 'kept')).toMatchObject({ state: { cents: 13 } })
    const position = all.at(-1)?.position ?? 0n
    expect((await store.status()).position).toBeGreaterThanOrEqual(position)
    expect((await store.verify()).findings).toEqual([])
    expect((await store.audit()).findings).toEqual([])
    const { privateKey } = generateKeyPairSync('ed25519')
    expect(await store.exportCheckpoint(privateKey)).toMatchObject({
      signature: expect.any(String),
    })
    const { rows } = await database.pool.query(
      `select incarnation || '.' || transaction_id as token from tidemark.events order by insert_id limit 1`,
    )
    expect(await store.waitFor(rows[0].token)).toBe(1n)
    const views = await queryOnce(
      reader.loginTo(database.connectionString),
      `select l.stream_id, s.version from tidemark.log as l join tidemark.streams as s using (stream_id)
       where l.position = 1`,
    )
    expect(views).toEqual([{ stream_id: 'account-1', version: '3' }])
  })

  test('cannot append, execute or seal', async () => {
    await using store = await openStore(reader)
    const missing = { code: 'PRIVILEGE_MISSING' }
    await expect(store.append('account-1', Deposited({ cents: 1 }))).rejects.toMatchObject(missing)
    const many = [{ streamId: 'account-1', events: [Deposited({ cents: 1 })] }]
    await expect(store.appendMany(many)).rejects.toMatchObject(missing)
    await expect(store.execute(Account, 'x', 'open', { owner: 'x' })).rejects.toMatchObject(missing)
    await expect(store.seal()).rejects.toMatchObject({ code: '42501' })
  })
})

describe('a user with no role', () => {
  test('is told those that there are', async () => {
    await using stranger = await createRole()
    await expect(openStore(stranger)).rejects.toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message: expect.stringContaining(
        'grant tidemark_append, tidemark_read or tidemark_worker to this user',
      ),
    })
  })
})

describe('the owner of the log', () => {
  test.each([
    ['update', `update tidemark.events set type = 'forged'`, 'TM001'],
    ['delete', 'delete from tidemark.events', 'TM001'],
    ['truncate', 'truncate tidemark.events, tidemark.event_tags', 'TM001'],
    ['change the ledger', 'update tidemark.commits set event_count = 2', 'TM001'],
    ['change a seal', 'delete from tidemark.seals', 'TM001'],
    ['ignore triggers', 'set session_replication_role = replica', '42501'],
    [
      'insert a hole',
      `insert into tidemark.events (stream_id, version, event_id, type, data)
       values ('account-1', 9, gen_random_uuid(), 'forged', '{}')`,
      'TM002',
    ],
    [
      'insert for another transaction',
      `insert into tidemark.events (stream_id, version, event_id, type, data, transaction_id)
       values ('account-1', 4, gen_random_uuid(), 'forged', '{}', '3')`,
      'TM003',
    ],
  ])('cannot %s', async (_, statement, code) => {
    await expect(
      queryOnce(owner.loginTo(database.connectionString), statement),
    ).rejects.toMatchObject({ code })
  })
})
