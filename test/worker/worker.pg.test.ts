import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { logNames } from '../../src/db/log-names.ts'
import {
  createStore,
  migrate,
  projection,
  runWorker,
  table,
  task,
  text,
  type WorkerOptions,
} from '../../src/index.ts'
import { reactor } from '../../src/jobs/reactor.ts'
import { appendToStream } from '../../src/store/append.ts'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { findFaults } from '../faults/oracle/check-database.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'
import { until } from '../support/until.ts'
import { accounts, Deposited, largeDeposits, lastEntries } from './fixtures/accounts.ts'
import { exitOf, spawnWorker } from './fixtures/spawn-worker.ts'
import { untilCaughtUp } from './fixtures/until-caught-up.ts'

const database = useDatabase()
const names = logNames()

afterAll(() => dropLogSlots(database.connectionString))

function startWorker(options: Partial<WorkerOptions> = {}) {
  const log = captureLog()
  const background = inBackground((signal) =>
    runWorker(
      {
        connectionString: database.connectionString,
        projections: [accounts, lastEntries],
        reactors: [largeDeposits],
        pollIntervalMs: 100,
        logger: log,
        ...options,
      },
      signal,
    ),
  )
  onTestFinished(() => background.stop().catch(() => {}))
  return { ...background, log }
}

async function deposit(pool: pg.Pool, count = 1): Promise<void> {
  const events = Array.from({ length: count }, (_, i) =>
    Deposited({ account: `a${i % 5}`, amount: 1 + ((i * 7) % 100) }),
  )
  await appendToStream(pool, names, { streamId: 'account-a', events })
}

async function untilNoSession(pool: pg.Pool): Promise<void> {
  await until('all sessions of workers to end', async (saw) => {
    const { rows } = await pool.query(/* sql */ `
      select pid, application_name, state
      from pg_stat_activity
      where datname = current_database()
        and (starts_with(application_name, 'tidemark worker')
          or starts_with(application_name, 'tidemark se')
          or starts_with(application_name, 'graphile'))`)
    saw(rows)
    return rows.length === 0
  })
}

describe('a worker that is told to stop', () => {
  test('as a process ends by itself with code 0, amid work, and leaves nothing half done', async () => {
    const worker = spawnWorker(database.connectionString)
    await deposit(database.pool, 500)
    await untilCaughtUp(database.pool)
    for (let i = 0; i < 20; i += 1) await deposit(database.pool, 200)
    worker.kill('SIGTERM')
    expect(await exitOf(worker)).toBe(0)
    await untilNoSession(database.pool)

    const next = startWorker()
    await untilCaughtUp(database.pool)
    expect(await findFaults(database.pool)).toEqual([])
    await next.stop()
  })

  test('leaves no session, slot user, timer or socket, however early', async () => {
    await database.pool.query('select 1')
    const before = process.getActiveResourcesInfo().length
    for (let delayMs = 0; delayMs < 150; delayMs += 10) {
      const worker = startWorker()
      await sleep(delayMs)
      await worker.stop()
    }
    await untilNoSession(database.pool)
    await until('the one slot to be free', async (saw) => {
      const { rows } = await database.pool.query(
        'select active from pg_replication_slots where database = current_database()',
      )
      saw(rows)
      return rows.length === 1 && !rows[0].active
    })
    await until('timers and sockets to be as before', (saw) => {
      saw(process.getActiveResourcesInfo())
      return process.getActiveResourcesInfo().length <= before
    })
  })

  test('lets the job at hand finish', async () => {
    const begun = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    let hasFinished = false
    const slow = task('slow', {
      payload: z.object({}),
      run: async () => {
        begun.resolve()
        await finish.promise
        hasFinished = true
      },
    })
    const asking = reactor('asking', {
      events: [Deposited],
      on: { 'account.deposited': () => slow({}) },
    })
    const worker = startWorker({ projections: [], reactors: [asking], tasks: [slow] })
    await until('the reactor to begin', async () => {
      const { rows } = await database.pool.query(
        "select from tidemark.subscriptions where name = 'asking'",
      )
      return rows.length === 1
    })
    await deposit(database.pool)
    await begun.promise
    const stopping = worker.stop()
    finish.resolve()
    await stopping
    expect(hasFinished).toBe(true)
    await untilNoSession(database.pool)
    await database.pool.query("delete from tidemark.subscriptions where name = 'asking'")
  })
})

describe('a worker does not start', () => {
  test('on a database without the migrations, as a process or in one', async () => {
    await using empty = await createTestDatabase({ template: false })
    await expect(startWorker(empty).ended).rejects.toMatchObject({
      code: 'SCHEMA_NOT_INSTALLED',
      message: expect.stringContaining('run `tidemark migrate`'),
    })
    await untilNoSession(empty.pool)

    const worker = spawnWorker(empty.connectionString)
    let said = ''
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    expect(await exitOf(worker)).not.toBe(0)
    expect(said).toContain('SCHEMA_NOT_INSTALLED')
  })

  test('where no server listens, and does not tell the password', async () => {
    const url = new URL(database.connectionString)
    url.port = '1'
    url.password = 'geheim'
    const failure = await startWorker({ connectionString: url.href }).ended.catch((error) => error)
    expect(failure).toMatchObject({ code: 'CONNECTION_FAILED' })
    expect(JSON.stringify(failure) + failure.message).not.toContain('geheim')
  })

  test('when its connection is lost before it has begun, and says so by the same code', async () => {
    const client = await database.client()
    await client.query('begin; lock table tidemark.sequencer in access exclusive mode')
    const { ended } = startWorker()
    await until('the worker to wait for the lock, and to be ended', async (saw) => {
      const { rows } = await database.pool.query(/* sql */ `
        select wait_event_type, pg_terminate_backend(pid)
        from pg_stat_activity
        where application_name = 'tidemark worker'
          and datname = current_database()
          and wait_event_type = 'Lock'`)
      saw(rows)
      return rows.length > 0
    })
    await expect(ended).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await client.query('rollback')
  })

  test('with a definition that is right nowhere, and ends its other parts', async () => {
    const wrong = projection('random', {
      version: 1,
      events: [Deposited],
      tables: { rows: table({ account: text().primaryKey(), at: text().generatedAs('now()') }) },
    }).fold('rows', {
      key: ({ data }) => ({ account: data.account }),
      on: { 'account.deposited': () => ({}) },
    })
    await expect(startWorker({ projections: [wrong, lastEntries] }).ended).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    })
    await untilNoSession(database.pool)
  })

  test('with a projection whose schema belongs to somebody else', async () => {
    await database.pool.query('create schema taken')
    const foreign = projection('accounts_elsewhere', {
      version: 1,
      schema: 'taken',
      events: [Deposited],
      tables: { balances: table({ account: text().primaryKey() }) },
    }).fold('balances', {
      key: ({ data }) => ({ account: data.account }),
      on: { 'account.deposited': () => ({}) },
    })
    await expect(startWorker({ projections: [foreign] }).ended).rejects.toMatchObject({
      code: 'SCHEMA_FOREIGN',
      details: { schema: 'taken' },
    })
    await untilNoSession(database.pool)
  })
})

test('two workers share the work, and each can go alone', async () => {
  const [first, second] = [startWorker(), startWorker()]
  for (let i = 0; i < 10; i += 1) await deposit(database.pool, 20)
  await untilCaughtUp(database.pool)
  await first.stop()
  for (let i = 0; i < 10; i += 1) await deposit(database.pool, 20)
  await untilCaughtUp(database.pool)
  await second.stop()
  expect(await findFaults(database.pool)).toEqual([])
  expect([...first.log.at('error'), ...second.log.at('error')]).toEqual([])
})

test('the slots of a log can be dropped under a worker, which goes on', async () => {
  const store = await createStore({ connectionString: database.connectionString })
  onTestFinished(() => store.close())
  const worker = startWorker()
  await deposit(database.pool)
  await untilCaughtUp(database.pool)
  const before = (await store.status()).slot?.name
  await until('the slots to be dropped', () =>
    store.dropSlots().then(
      () => true,
      () => false,
    ),
  )
  await deposit(database.pool, 3)
  await untilCaughtUp(database.pool)
  await until('another slot to be streamed from', async (saw) => {
    const { slot } = await store.status()
    saw(slot)
    return slot?.isActive === true && slot.name !== before
  })
  const { position, subscriptions } = await store.status()
  expect(subscriptions.map(({ lag }) => lag)).toEqual([0n, 0n, 0n])
  expect(subscriptions.map((subscription) => subscription.position)).toEqual([
    position,
    position,
    position,
  ])
  await worker.stop()
  await untilNoSession(database.pool)
  await deposit(database.pool, 4)
  expect(await store.status()).toMatchObject({ position, slot: { isActive: false } })
  expect(await findFaults(database.pool)).not.toEqual([])

  const next = startWorker()
  await untilCaughtUp(database.pool)
  expect(await findFaults(database.pool)).toEqual([])
  await next.stop()
})

describe('a restart of the server', () => {
  let server: EmbeddedPostgres
  let pool: pg.Pool

  beforeAll(async () => {
    server = await startChosenPostgres({ durable: false, stopTimeoutMs: 6_000 })
    await migrate({ connectionString: server.connectionString })
    pool = new pg.Pool({ connectionString: server.connectionString })
    pool.on('error', () => {})
  })

  afterAll(async () => {
    await pool?.end()
    await server?.stop()
  })

  test.for(['fast', 'immediate', 'fast'] as const)(
    'that is %s costs a worker neither an event nor a job',
    async (mode) => {
      const ran: string[] = []
      const note = task('note', {
        payload: z.object({ id: z.string() }),
        run: async ({ id }) => {
          ran.push(id)
        },
      })
      const noting = reactor(`noting_${mode}`, {
        events: [Deposited],
        on: { 'account.deposited': (event) => note({ id: event.id }) },
      })
      const worker = startWorker({
        connectionString: server.connectionString,
        reactors: [noting],
        tasks: [note],
      })
      await until('the reactor to begin', async () => {
        const { rows } = await pool.query('select from tidemark.subscriptions where name = $1', [
          noting.name,
        ])
        return rows.length === 1
      })
      await deposit(pool, 10)
      await until('the first jobs to run', () => ran.length >= 10)

      const began = performance.now()
      await server.restart(mode)
      expect(performance.now() - began).toBeLessThan(5_000)
      await deposit(pool, 10)
      await until(
        'the other jobs to run',
        (saw) => {
          saw(ran.length)
          return new Set(ran).size >= 20
        },
        { timeoutMs: 20_000 },
      )
      await untilCaughtUp(pool)
      await worker.stop()
      expect(worker.log.at('error').filter((line) => line.code === 'HANDLER_FAILED')).toEqual([])

      const { rows } = await pool.query(
        /* sql */ `
        select
          (select count(*) from tidemark.events)::integer as events,
          (select sum(entries) from accounts.balances)::integer as applied`,
      )
      expect(rows[0].applied).toBe(rows[0].events)
      await pool.query("delete from tidemark.subscriptions where kind = 'reactor'")
    },
  )
})
