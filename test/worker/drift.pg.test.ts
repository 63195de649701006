import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { logNames } from '../../src/db/log-names.ts'
import {
  type Columns,
  createStore,
  event,
  integer,
  projection,
  reactor,
  type Store,
  table,
  task,
  text,
  type WorkerOptions,
} from '../../src/index.ts'
import { projectionSubscription } from '../../src/projections/lanes/projection-subscriber.ts'
import type { AnyProjection } from '../../src/projections/projection.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { ownershipLockKey } from '../../src/subscriptions/log-session.ts'
import { stopUndelivered } from '../../src/subscriptions/stop-undelivered.ts'
import { runWorker } from '../../src/worker/worker.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { untilAt } from '../subscriptions/log-fixture.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()
const names = logNames()
let store: Store

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString, events: [Noted] })
})
afterAll(async () => {
  await store.close()
  await dropLogSlots(database.connectionString)
})

const Noted = event('noted').v(1, z.object({ key: z.string() }))

interface TallyOptions {
  readonly version?: number
  readonly columns?: Columns
  readonly partitions?: number
  readonly sql?: string
}

/** Counts the events of each key, in a table that may have more columns. */
function tally(name: string, options: TallyOptions = {}) {
  const { version = 1, columns = {}, partitions = 1, sql } = options
  const declared = { key: text().primaryKey(), n: integer(), ...columns }
  return projection(name, {
    version,
    partitions,
    events: [Noted],
    tables: { tallies: table(declared, sql === undefined ? {} : { sql }) },
  }).fold('tallies', {
    key: ({ data }) => ({ key: data.key }),
    on: { noted: (row) => ({ ...row, n: ((row?.n as number | undefined) ?? 0) + 1 }) as never },
  })
}

function start(projections: readonly AnyProjection[], options: Partial<WorkerOptions> = {}) {
  const { connectionString } = database
  const log = captureLog()
  const worker = inBackground((signal) =>
    runWorker(
      {
        connectionString,
        projections,
        logger: log,
        pollIntervalMs: 50,
        maxAttempts: 2,
        ...options,
      },
      signal,
    ),
  )
  onTestFinished(() => worker.stop().catch(() => {}))
  return { ...worker, log }
}

async function note(key: string): Promise<bigint> {
  const { token } = await store.append(`note-${key}`, Noted({ key }))
  return store.waitFor(token)
}

async function subscriptionOf({ name, version }: AnyProjection) {
  const { subscriptions } = await store.status()
  return subscriptions.find((one) => one.name === name && one.version === version)
}

async function untilStopped(definition: AnyProjection) {
  return until('the projection to stand still', async (saw) => {
    const found = await subscriptionOf(definition)
    saw(found)
    return found?.state === 'failed' && found
  })
}

async function untilFollowed(definition: AnyProjection) {
  await until('the projection to be followed to the head', async (saw) => {
    const found = await subscriptionOf(definition)
    saw(found)
    return found?.state === 'active' && found.owner !== null && found.lag === 0n
  })
}

/** Rows of a version are those of a count over the log. */
async function expectExact(definition: AnyProjection): Promise<void> {
  await untilFollowed(definition)
  const { rows } = await database.pool.query(
    `select
       (select jsonb_object_agg(key, n) from ${definition.name}_v${definition.version}.tallies) as found,
       (
         select jsonb_object_agg(key, n)
         from (
           select data ->> 'key' as key, count(*) as n
           from tidemark.log
           where type = 'noted'
           group by 1
         ) as counted
       ) as expected`,
  )
  expect(rows[0].found).toEqual(rows[0].expected)
}

/** Makes versions live, and has nobody follow them. */
async function makeLive(...definitions: readonly AnyProjection[]): Promise<void> {
  const worker = start(definitions)
  await note('first')
  for (const definition of definitions) await untilFollowed(definition)
  await worker.stop()
}

test('a projection whose tables were changed by hand stands still alone, until that is undone', async () => {
  const [changed, whole] = [tally('by_hand'), tally('whole')]
  await makeLive(changed, whole)
  await database.pool.query('alter table by_hand_v1.tallies add column extra text')
  const job = task('noted', { payload: z.object({}), run: async () => {} })
  const reacting = reactor('reacting', {
    events: [Noted],
    from: 'start',
    on: { noted: () => job({}) },
  })
  const before = await subscriptionOf(changed)
  const worker = start([changed, whole], { reactors: [reacting] })
  const position = await note('second')
  await untilAt(database.pool, 'whole', position)
  await untilAt(database.pool, 'reacting', position)
  const message =
    'projection "by_hand" version 1: somebody changed its tables: table "tallies": column "extra": found ' +
    'text, expected no such column: undo it, or raise `version` in its definition and rebuild'
  expect(await untilStopped(changed)).toMatchObject({
    error: message,
    errorCode: 'PROJECTION_DRIFTED',
    position: before?.position,
    owner: null,
  })
  const { token } = await store.append('note-third', Noted({ key: 'third' }))
  await expect(store.waitFor(token, changed)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_FAILED',
    message: expect.stringContaining('column "extra"'),
  })
  expect(worker.log.withCode('PROJECTION_DRIFTED')).toEqual([
    expect.objectContaining({
      level: 'error',
      message: `${message}; it is not followed until that is done; everything else goes on`,
    }),
  ])

  await database.pool.query('alter table by_hand_v1.tallies drop column extra')
  await expectExact(changed)
  expect(worker.log.at('info').map((line) => line.message)).toContain(
    'projection "by_hand" version 1 has the tables of its definition again, and goes on',
  )
  await worker.stop()
})

test('a definition that was changed under its version stops nobody who has the right one', async () => {
  const [right, wrong] = [
    tally('redeclared'),
    tally('redeclared', { columns: { more: integer().default(0) } }),
  ]
  const first = start([right])
  await note('a')
  await untilFollowed(right)
  const other = start([wrong])
  await until('the other to say so', () => other.log.withCode('PROJECTION_DRIFTED').length > 0)
  const reason = { code: 'PROJECTION_DRIFTED', message: 'as the other tries to' }
  await stopUndelivered(database.pool, names, projectionSubscription(right), reason)
  expect(await subscriptionOf(right)).toMatchObject({ state: 'active', error: null })
  await untilAt(database.pool, 'redeclared', await note('b'))

  await first.stop()
  expect(await untilStopped(right)).toMatchObject({
    error:
      'projection "redeclared" version 1: its tables are declared otherwise than they were made: raise ' +
      '`version` in its definition and rebuild',
    lag: 0n,
  })
  // Nothing comes that would move it, and the other goes on looking.
  const next = start([right])
  await expectExact(right)
  await note('c')
  await expectExact(right)
  expect(other.log.withCode('PROJECTION_DRIFTED')).toHaveLength(1)
  expect(next.log.at('error')).toEqual([])
  await other.stop()
  await next.stop()
})

test('a change that makes a handler fail is told as what it is, and needs no restart when it is undone', async () => {
  const definition = tally('amid_work')
  const worker = start([definition])
  await note('before')
  await untilFollowed(definition)
  await database.pool.query('alter table amid_work_v1.tallies rename column n to renamed')
  await note('after')
  await until('the reason to be told', async (saw) => {
    const found = await subscriptionOf(definition)
    saw(found)
    return found?.errorCode === 'PROJECTION_DRIFTED'
  })
  expect(worker.log.withCode('HANDLER_FAILED')).not.toEqual([])
  await database.pool.query('alter table amid_work_v1.tallies rename column renamed to n')
  await expectExact(definition)
  await worker.stop()
})

test('a handler that fails with tables as they were made waits for a restart, as ever', async () => {
  const definition = tally('own_fault', { sql: 'alter table tallies add check (n < 2)' })
  const worker = start([definition])
  for (let i = 0; i < 2; i += 1) await note('twice')
  expect(await untilStopped(definition)).toMatchObject({ errorCode: 'HANDLER_FAILED' })
  await database.pool.query('alter table own_fault_v1.tallies drop constraint tallies_n_check')
  const { log } = worker
  const said = log.at('error').length
  for (let i = 0; i < 3; i += 1) await note('later')
  expect(await subscriptionOf(definition)).toMatchObject({ state: 'failed' })
  expect(log.at('error')).toHaveLength(said)
  await worker.stop()
})

test('all partitions of a projection that was changed stand still, and go on', async () => {
  const definition = tally('divided', { partitions: 3 })
  await makeLive(definition)
  await database.pool.query('alter table divided_v1.tallies alter column n drop not null')
  const worker = start([definition])
  await untilStopped(definition)
  const states = async () => {
    const { rows } = await database.pool.query(
      "select distinct state, error ->> 'code' as code from tidemark.subscriptions where name = 'divided'",
    )
    return rows
  }
  expect(await states()).toEqual([{ state: 'failed', code: 'PROJECTION_DRIFTED' }])
  for (const key of ['x', 'y', 'z']) await note(key)
  await database.pool.query('alter table divided_v1.tallies alter column n set not null')
  await expectExact(definition)
  await until('every partition to be active', async (saw) => {
    const found = await states()
    saw(found)
    return found.length === 1 && found[0]?.state === 'active'
  })
  await worker.stop()
})

test('a version that is built is not rebuilt with another definition, and can be dropped and begun again', async () => {
  await makeLive(tally('building'))
  const second = tally('building', { version: 2 })
  await ensureVersion(database.pool, names, second, 'any')
  const other = tally('building', { version: 2, columns: { more: integer().nullable() } })
  const worker = start([tally('building'), other])
  await untilStopped(other)
  await expect(store.rebuild(other)).rejects.toMatchObject({
    code: 'PROJECTION_DRIFTED',
    message: expect.stringContaining('or run `tidemark drop building --version 2`, and rebuild'),
  })
  // Who has the right definition goes on building.
  expect(await store.rebuild(second)).toMatchObject({ state: 'ready' })
  await store.drop('building', 2)
  expect(await store.rebuild(other)).toMatchObject({ version: 2, state: 'ready' })
  await expectExact(other)
  await worker.stop()
})

test('a rebuild goes on when another process alone has the wrong definition', async () => {
  await makeLive(tally('rebuilt'))
  const second = tally('rebuilt', { version: 2 })
  await ensureVersion(database.pool, names, second, 'any')
  const key = ownershipLockKey(names, projectionSubscription(second))
  const client = await database.client()
  await client.query('select pg_advisory_lock($1)', [key])
  let looks = 0
  const onProgress = () => {
    looks += 1
  }
  const rebuilding = store.rebuild(second, { onProgress })
  rebuilding.catch(() => {})
  await until('the rebuild to look', () => looks > 0)
  await client.query(
    `update tidemark.subscriptions
     set state = 'failed', error = '{"code": "PROJECTION_DRIFTED", "message": "not here"}'
     where name = 'rebuilt' and version = 2`,
  )
  const before = looks
  await until('the rebuild to look again', () => looks > before + 2)
  await client.query('select pg_advisory_unlock($1)', [key])
  expect(await rebuilding).toMatchObject({ state: 'ready' })
  expect(await subscriptionOf(second)).toMatchObject({ state: 'active', error: null })
})
