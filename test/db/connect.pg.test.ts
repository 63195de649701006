import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { connect, createPool, describeTarget } from '../../src/db/connect.ts'
import { isConnectionLoss } from '../../src/db/sqlstate.ts'
import { findFreePort } from '../../src/testing/free-port.ts'
import { createStore } from '../../src/worker/create-store.ts'
import { startCuttableProxy } from '../support/cuttable-proxy.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { startPooler } from '../worker/pooler/start-pooler.ts'
import { createRole } from './create-role.ts'

const database = useDatabase()
const secret = 'hunter2-%C3%A9' // as it stands in a URL
const secrets = [secret, decodeURIComponent(secret)]

/** The error of a promise that has to fail, after a look for the password anywhere in it. */
async function failure(promise: Promise<unknown>) {
  const error = await promise.then(
    () => expect.unreachable('the connection was made'),
    (reason: unknown) => reason,
  )
  const everything = inspect(error, { depth: null, showHidden: true })
  for (const text of secrets) expect(everything).not.toContain(text)
  return error
}

describe('a connection', () => {
  test('shows its application name to the server', async () => {
    const { connectionString } = database
    const client = await connect({ connectionString, applicationName: 'tidemark test' })
    const { rows } = await client.query(`select current_setting('application_name') as name`)
    expect(rows).toEqual([{ name: 'tidemark test' }])
    await client.end()
  })

  test('that is lost says so on the next query and not before', async () => {
    const client = await connect({ connectionString: database.connectionString })
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const lost = new Promise((resolve) => client.once('end', resolve))
    await database.pool.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
    await lost

    const error = await client.query('select 1').catch((reason: unknown) => reason)
    expect(isConnectionLoss(error)).toBe(true)
    await client.end()
  })

  test('of a pool is replaced when it is lost', async () => {
    const pool = createPool({ connectionString: database.connectionString, max: 1 })
    const { rows } = await pool.query('select pg_backend_pid() as pid')
    await database.pool.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
    await until('the pool to drop the connection', () => pool.totalCount === 0)

    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })
})

describe('a statement of a pool', () => {
  test('whose answer the network swallows fails, and holds nothing locked any more', async () => {
    await using network = await startCuttableProxy(database.connectionString)
    const pool = createPool({ connectionString: network.connectionString, answerLimitMs: 600 })
    const client = await pool.connect()
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock(1)')
    network.cutOpen()
    const error = await client.query('select 1').catch((reason: unknown) => reason)
    expect(isConnectionLoss(error)).toBe(true)
    client.release(true)
    await pool.query('select pg_advisory_lock(1)')
    await pool.end()
  })

  test('may take as long as the server works on it', async () => {
    const { connectionString } = database
    const pool = createPool({ connectionString, answerLimitMs: 300 })
    expect((await pool.query('select 1 as one from pg_sleep(2)')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test('may take as long as it likes behind a pooler, which tells nothing of the server', async () => {
    await using pooler = await startPooler(database.connectionString, 'session')
    const pool = createPool({ connectionString: pooler.connectionString, answerLimitMs: 300 })
    expect((await pool.query('select 1 as one from pg_sleep(2)')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })
})

describe('a connection that cannot be made', () => {
  test('because nothing listens names the server and the reason', async () => {
    const port = await findFreePort()
    const url = `postgres://ada:${secret}@127.0.0.1:${port}/shop`
    expect(await failure(connect({ connectionString: url }))).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: `cannot connect to 127.0.0.1:${port}/shop as "ada": no server listens there`,
      details: {
        target: `127.0.0.1:${port}/shop as "ada"`,
        reason: 'no server listens there',
      },
      cause: expect.any(Error),
    })
  })

  test('because the server stays silent ends in time', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const url = `postgres://ada:${secret}@127.0.0.1:${port}/shop`

    const error = await failure(connect({ connectionString: url, connectTimeoutMs: 100 }))
    expect(error).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: { reason: expect.stringMatching(/timeout/) },
    })
    silent.close()
  })

  test('because the password is wrong does not show it', async () => {
    await using role = await createRole()
    const url = new URL(role.loginTo(database.connectionString))
    url.password = secret
    expect(await failure(connect({ connectionString: url.href }))).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: {
        target: expect.stringMatching(`/${database.name} as "${role.name}"$`),
        reason: 'the server refuses this user or password',
      },
    })
  })

  test('because the user does not exist tells no more than that', async () => {
    const url = new URL(database.connectionString)
    url.username = 'nobody_of_this_name'
    url.password = secret
    expect(await failure(connect({ connectionString: url.href }))).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: { reason: 'the server refuses this user or password' },
    })
  })

  test('because the database does not exist says that', async () => {
    const url = new URL(database.connectionString)
    url.pathname = '/no_such_database'
    const error = await connect({ connectionString: url.href }).catch((reason) => reason)
    expect(error).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: {
        target: expect.stringContaining('/no_such_database'),
        reason: 'the database does not exist',
      },
    })
    expect(inspect(error, { depth: null })).not.toContain(url.password)
  })

  test('to a name with a broken escape is reported like any other', async () => {
    const url = `postgres://a%zz:${secret}@127.0.0.1:${await findFreePort()}/%zz`
    expect(await failure(connect({ connectionString: url }))).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: { reason: 'no server listens there' },
    })
  })

  test('is reported by createStore as well, and leaves no pool behind', async () => {
    const url = `postgres://ada:${secret}@127.0.0.1:${await findFreePort()}/shop`
    expect(await failure(createStore({ connectionString: url }))).toMatchObject({
      code: 'CONNECTION_FAILED',
      details: { reason: 'no server listens there' },
    })
  })
})

describe('a connection string', () => {
  const createPoolLater = async (options: { connectionString: string }) => createPool(options)

  test.each([
    ['is no URL', `ada:${secret}@localhost/shop`],
    ['is empty', ''],
    ['is of libpq’s other form', `host=localhost user=ada password=${secret}`],
    ['is of another database', `mysql://ada:${secret}@localhost/shop`],
    ['has a broken host', `postgres://ada:${secret}@[::1/shop`],
  ])('is refused when it %s', async (_, connectionString) => {
    for (const attempt of [connect, createStore, createPoolLater]) {
      expect(await failure(attempt({ connectionString }))).toMatchObject({
        code: 'OPTION_INVALID',
        details: { option: 'connectionString', reason: expect.any(String) },
      })
    }
  })

  test.each([
    ['postgres://ada:x@db.example:6000/shop', 'db.example:6000/shop as "ada"'],
    ['postgresql://db.example/shop', 'db.example:5432/shop'],
    ['postgres://db.example', 'db.example:5432/(default database)'],
    ['postgres://a%40b:x@[::1]/my%20shop?password=x', '[::1]:5432/my shop as "a@b"'],
    ['postgres://a%zz:x@db.example/%zz', 'db.example:5432/%zz as "a%zz"'],
    ['host=localhost password=x', 'the server'],
  ])('%s is described as %s', (connectionString, target) => {
    expect(describeTarget(connectionString)).toBe(target)
  })
})
