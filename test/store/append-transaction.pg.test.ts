import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/db/queryable.ts'
import { createStore, type Store } from '../../src/worker/create-store.ts'
import { useDatabase } from '../support/database.ts'
import { Noted, newStream, noted, readNumbers } from './fixtures.ts'

const database = useDatabase()
let store: Store
let kysely: Kysely<unknown>

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted] })
  const pool = new pg.Pool({ connectionString })
  kysely = new Kysely({ dialect: new PostgresDialect({ pool }) })
})

afterAll(async () => {
  await store.close()
  await kysely.destroy()
})

/** A transaction of the caller's, whatever library it is made with. */
interface Caller {
  readonly tx: Connection
  execute(statement: string): Promise<unknown>
}

class RolledBack extends Error {}

const callers = [
  [
    'a pg client',
    async (use: (caller: Caller) => Promise<void>) => {
      const client = await database.pool.connect()
      await client.query('begin')
      try {
        await use({ tx: client, execute: (statement) => client.query(statement) })
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        if (!(error instanceof RolledBack)) throw error
      } finally {
        client.release()
      }
    },
  ],
  [
    'a Kysely transaction',
    async (use: (caller: Caller) => Promise<void>) => {
      const { CompiledQuery } = await import('kysely')
      await kysely
        .transaction()
        .execute((tx) =>
          use({ tx, execute: (statement) => tx.executeQuery(CompiledQuery.raw(statement)) }),
        )
        .catch((error: unknown) => {
          if (!(error instanceof RolledBack)) throw error
        })
    },
  ],
] as const

const conflict = { code: 'STREAM_VERSION_CONFLICT' }

describe.each(callers)('an append that joins %s', (_, inTransaction) => {
  test('is seen by others once the caller commits, not before', async () => {
    const streamId = newStream()
    await inTransaction(async ({ tx }) => {
      await store.append(streamId, noted(1), { tx })
      await store.appendMany([{ streamId, events: noted(2) }], { tx })
      expect(await store.streamVersion(streamId)).toBe(0n)
    })
    expect(await readNumbers(database.pool, streamId)).toEqual([1, 2])
  })

  test('is gone when the caller rolls back', async () => {
    const streamId = newStream()
    await inTransaction(async ({ tx }) => {
      await store.append(streamId, noted(1), { tx })
      await store.appendMany([{ streamId, events: noted(2) }], { tx })
      expect(await readNumbers(tx, streamId)).toEqual([1, 2])
      throw new RolledBack()
    })
    expect(await store.streamVersion(streamId)).toBe(0n)
    expect(await store.append(streamId, noted(3), { expect: 'absent' })).toMatchObject({
      version: 1n,
    })
  })

  test('commits and rolls back together with what the caller writes', async () => {
    const table = `shop_${newStream().replace('-', '_')}`
    await database.pool.query(`create table ${table} (id integer)`)
    const write = (streamId: string, fail: boolean) =>
      inTransaction(async ({ tx, execute }) => {
        await execute(`insert into ${table} values (1)`)
        await store.append(streamId, noted(1), { tx })
        if (fail) throw new RolledBack()
      })
    const [kept, gone] = [newStream(), newStream()]
    await write(kept, false)
    await write(gone, true)

    expect((await database.pool.query(`select * from ${table}`)).rows).toEqual([{ id: 1 }])
    expect(await store.streamVersion(kept)).toBe(1n)
    expect(await store.streamVersion(gone)).toBe(0n)
  })

  test('sees the appends before it in the transaction, under one token', async () => {
    const streamId = newStream()
    await inTransaction(async ({ tx }) => {
      const first = await store.append(streamId, noted(1), { tx, expect: 'absent' })
      const second = await store.append(streamId, noted(2), { tx, expect: 1n })
      expect([first.version, second.version]).toEqual([1n, 2n])
      expect(second.token).toBe(first.token)
    })
    expect(await readNumbers(database.pool, streamId)).toEqual([1, 2])
  })

  test('leaves the transaction usable after a conflict', async () => {
    const [streamId, other] = [newStream(), newStream()]
    await inTransaction(async ({ tx }) => {
      await store.append(streamId, noted(1), { tx })
      await expect(
        store.append(streamId, noted(2), { tx, expect: 'absent' }),
      ).rejects.toMatchObject({ ...conflict, details: { actualVersion: 1n } })
      await expect(
        store.appendMany(
          [
            { streamId: other, events: noted(2) },
            { streamId, events: noted(2), expect: 7n },
          ],
          { tx },
        ),
      ).rejects.toMatchObject({ ...conflict, details: { streamId, actualVersion: 1n } })
      await store.append(streamId, noted(3), { tx, expect: 1n })
    })
    expect(await readNumbers(database.pool, streamId)).toEqual([1, 3])
    expect(await store.streamVersion(other)).toBe(0n)
  })

  test('is undone to a savepoint, and leaves no hole', async () => {
    const streamId = newStream()
    await inTransaction(async ({ tx, execute }) => {
      await store.append(streamId, noted(1), { tx })
      await execute('savepoint before')
      await store.append(streamId, noted(2, 2), { tx })
      await store.appendMany([{ streamId, events: noted(2) }], { tx })
      await execute('rollback to savepoint before')
      expect(await store.append(streamId, noted(3), { tx, expect: 1n })).toMatchObject({
        version: 2n,
      })
    })
    expect(await readNumbers(database.pool, streamId)).toEqual([1, 3])
  })

  test('after a savepoint has the token of the whole transaction', async () => {
    const streamId = newStream()
    await inTransaction(async ({ tx, execute }) => {
      const { token } = await store.append(streamId, noted(1), { tx })
      await execute('savepoint nested')
      expect((await store.append(streamId, noted(2), { tx })).token).toBe(token)
      await execute('release savepoint nested')
    })
    const { rows } = await database.pool.query(
      'select distinct transaction_id from tidemark.events where stream_id = $1',
      [streamId],
    )
    expect(rows).toHaveLength(1)
  })
})

test('an append beside an open transaction of the same pool is a transaction of its own', async () => {
  const [inside, outside] = [newStream(), newStream()]
  const client = await database.pool.connect()
  await client.query('begin')
  const joined = await store.append(inside, noted(1), { tx: client })
  const alone = await store.append(outside, noted(1))
  await client.query('rollback')
  client.release()

  expect(alone.token).not.toBe(joined.token)
  expect(await readNumbers(database.pool, outside)).toEqual([1])
  expect(await store.streamVersion(inside)).toBe(0n)
})
