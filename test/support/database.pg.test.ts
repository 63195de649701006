import { spawn } from 'node:child_process'
import { once } from 'node:events'
import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import {
  isRunning,
  killNewChildProcesses,
  listChildProcesses,
  listFromPs,
} from './child-processes.ts'
import { createTestDatabase, useDatabase } from './database.ts'
import { withDatabase } from './drop-database.ts'
import { assertNothingLeaked } from './leaks.ts'
import { queryOnce } from './query-once.ts'
import { createDatabasePrefix, dropRunDatabases } from './run-databases.ts'

const server = inject('postgres')
const shared = useDatabase()

async function databaseExists(name: string): Promise<boolean> {
  const rows = await queryOnce(
    server.connectionString,
    /* sql */ `select 1 from pg_database where datname = $1`,
    [name],
  )
  return rows.length > 0
}

/** Checks a database now, as the end of a file does. */
function check(
  database: string,
  childrenBefore?: Awaited<ReturnType<typeof listChildProcesses>>,
  timeoutMs = 100,
) {
  return assertNothingLeaked({
    serverUrl: server.connectionString,
    database,
    timeoutMs,
    ...(childrenBefore && { childrenBefore }),
  })
}

describe('a test database', () => {
  test('does not see the tables of another one', async () => {
    await using first = await createTestDatabase()
    await using second = await createTestDatabase()
    await first.pool.query('create table only_here (id integer)')

    await expect(second.pool.query('select * from only_here')).rejects.toMatchObject({
      code: '42P01',
    })
    expect(first.name).not.toBe(second.name)
  })

  test('is made and dropped while another one is in use', async () => {
    const other = await createTestDatabase()
    expect(await databaseExists(other.name)).toBe(true)
    await other[Symbol.asyncDispose]()

    expect(await databaseExists(other.name)).toBe(false)
    expect((await shared.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('carries the prefix of its run', () => {
    expect(shared.name.startsWith(`${server.databasePrefix}_`)).toBe(true)
    expect(server.template.startsWith(`${server.databasePrefix}_`)).toBe(true)
  })

  test('closes its pool and the clients that it handed out', async () => {
    const database = await createTestDatabase()
    const client = await database.client({ application_name: 'second session' })
    await database.pool.query('select 1')
    await client.query('select 1')
    await database[Symbol.asyncDispose]()

    await expect(client.query('select 1')).rejects.toThrow()
    await expect(database.pool.query('select 1')).rejects.toThrow()
  })

  test('survives that the server ends an idle connection of the pool', async () => {
    await using database = await createTestDatabase()
    const { rows } = await database.pool.query('select pg_backend_pid() as pid')
    await queryOnce(server.connectionString, 'select pg_terminate_backend($1, 5000)', [rows[0].pid])
    await expect.poll(() => database.pool.totalCount).toBe(0)
    expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('has the log installed, like the template', async () => {
    const { rows } = await shared.pool.query(
      'select count(*)::integer as events from tidemark.events',
    )
    expect(rows).toEqual([{ events: 0 }])
  })

  test('is empty when the template is declined', async () => {
    await using database = await createTestDatabase({ template: false })
    const { rows } = await database.pool.query(
      /* sql */ `
        select nspname
        from pg_namespace
        where nspname !~ '^pg_' and nspname <> 'information_schema'`,
    )
    expect(rows).toEqual([{ nspname: 'public' }])
  })
})

describe('the leak check', () => {
  test('passes when nothing is left', async () => {
    await using database = await createTestDatabase()
    // The session that made it may take its time to end.
    await check(database.name, await listChildProcesses(), 5_000)
  })

  test('finds a session, with its name, state and last query', async () => {
    await using database = await createTestDatabase()
    const client = await database.client({ application_name: 'forgotten' })
    const { rows } = await client.query('select pg_backend_pid() as pid')

    await expect(check(database.name)).rejects.toThrow(
      `session ${rows[0].pid} of "forgotten" (client backend, idle): ` +
        'select pg_backend_pid() as pid',
    )
  })

  test('waits for a session that is ending', async () => {
    await using database = await createTestDatabase()
    const client = await database.client()
    const busy = client.query('select pg_sleep(0.3)')
    const checking = assertNothingLeaked({
      serverUrl: server.connectionString,
      database: database.name,
      timeoutMs: 5_000,
    })
    await busy
    await client.end()
    await checking
  })

  test('finds a prepared transaction', async ({ skip }) => {
    await using database = await createTestDatabase()
    const { rows } = await database.pool.query('show max_prepared_transactions')
    skip(rows[0].max_prepared_transactions === '0', 'the server has no prepared transactions')
    const client = await database.client()
    await client.query("begin; create table t (id integer); prepare transaction 'it''s left'")
    await client.end()

    await expect(check(database.name)).rejects.toThrow(`prepared transaction "it's left"`)
    await client.end()
    const again = await database.client()
    await again.query(`rollback prepared 'it''s left'`)
  })

  test.skipIf(server.walLevel !== 'logical')('finds a replication slot', async () => {
    await using database = await createTestDatabase()
    const slot = `${database.name}_slot`
    await database.pool.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])

    await expect(check(database.name)).rejects.toThrow(
      `replication slot "${slot}" (active for pid none)`,
    )
    await database.pool.query('select pg_drop_replication_slot($1)', [slot])
  })

  test('finds a child process, also a detached one', async () => {
    const before = await listChildProcesses()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      detached: true,
      stdio: 'ignore',
    })
    child.unref()
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    })

    await expect(check(shared.name, before)).rejects.toThrow(
      `child process ${child.pid}: ${process.execPath}`,
    )
  })

  test('forgives a child process that was there before', async () => {
    await using database = await createTestDatabase()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    await check(database.name, await listChildProcesses())
  })
})

test.skipIf(process.platform === 'win32')('lists child processes with ps as well', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await once(child, 'spawn')
  const pids = (await listFromPs(process.pid)).map(({ pid }) => pid)
  expect(pids).toEqual((await listChildProcesses()).map(({ pid }) => pid))
  expect(pids).toContain(child.pid)
})

test('kills the child processes that a file left over, and no other', async () => {
  const start = async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child, 'spawn')
    return child
  }
  const older = await start()
  const before = await listChildProcesses()
  const left = await start()
  await killNewChildProcesses(before)
  await once(left, 'exit')

  expect(left.signalCode).toBe('SIGKILL')
  expect(await isRunning(older.pid ?? 0)).toBe(true)
})

describe('disposal after a leak', () => {
  test('fails and still drops the database, with the session', async () => {
    const database = await createTestDatabase({ releaseTimeoutMs: 100 })
    const stranger = new pg.Client({ connectionString: database.connectionString })
    stranger.on('error', () => {})
    await stranger.connect()
    onTestFinished(() => stranger.end())

    await expect(database[Symbol.asyncDispose]()).rejects.toThrow('client backend, idle')
    expect(await databaseExists(database.name)).toBe(false)
  })

  test('tells of a pool client that was never given back instead of waiting for it', async () => {
    const database = await createTestDatabase({ releaseTimeoutMs: 100 })
    const kept = await database.pool.connect()
    kept.on('error', () => {})
    await kept.query('begin')

    await expect(database[Symbol.asyncDispose]()).rejects.toThrow(
      /of "test pool" \(client backend, idle in transaction\): begin/,
    )
    expect(await databaseExists(database.name)).toBe(false)
  })

  test.skipIf(server.walLevel !== 'logical')('drops a slot that is in use', async () => {
    const database = await createTestDatabase({ releaseTimeoutMs: 100 })
    const slot = `${database.name}_slot`
    const stream = new pg.Client({
      connectionString: database.connectionString,
      application_name: 'walsender',
      // @ts-expect-error pg passes it on, its types do not know it
      replication: 'database',
    })
    stream.on('error', () => {})
    await stream.connect()
    onTestFinished(() => stream.end())
    await stream.query(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput`)

    await expect(database[Symbol.asyncDispose]()).rejects.toThrow(`replication slot "${slot}"`)
    const slots = await queryOnce(
      server.connectionString,
      'select 1 from pg_replication_slots where slot_name = $1',
      [slot],
    )
    expect(slots).toEqual([])
    expect(await databaseExists(database.name)).toBe(false)
  })
})

test('the end of a run drops its own databases only', async () => {
  const [mine, other] = [createDatabasePrefix(), createDatabasePrefix()]
  for (const prefix of [mine, other]) {
    await queryOnce(server.connectionString, `create database ${prefix}_left`)
  }
  await using client = await connectTo(`${mine}_left`)
  await dropRunDatabases(server.connectionString, mine)

  expect(client.lost).toBe(true)
  expect(await databaseExists(`${mine}_left`)).toBe(false)
  expect(await databaseExists(`${other}_left`)).toBe(true)
  await dropRunDatabases(server.connectionString, other)
  expect(await databaseExists(`${other}_left`)).toBe(false)
})

async function connectTo(database: string) {
  const client = new pg.Client({
    connectionString: withDatabase(server.connectionString, database),
  })
  let lost = false
  client.on('error', () => {
    lost = true
  })
  await client.connect()
  return {
    get lost() {
      return lost
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}
