import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { transaction } from '../../src/db/transaction.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase({ template: false })
let pool: pg.Pool

beforeAll(async () => {
  pool = createPool({ connectionString: database.connectionString, max: 1 })
  await pool.query('create table notes (n integer primary key)')
})

afterAll(async () => {
  await pool.end()
})

async function numbers(): Promise<number[]> {
  const { rows } = await database.pool.query('select n from notes order by n')
  return rows.map(({ n }) => n)
}

describe('a transaction', () => {
  test('commits what its body did and returns its result', async () => {
    const result = await transaction(pool, async (client) => {
      await client.query('insert into notes values (1)')
      expect(await numbers()).not.toContain(1)
      return 'done'
    })
    expect(result).toBe('done')
    expect(await numbers()).toContain(1)
  })

  test('rolls back when its body throws, and throws that error', async () => {
    const failure = new Error('no')
    await expect(
      transaction(pool, async (client) => {
        await client.query('insert into notes values (2)')
        throw failure
      }),
    ).rejects.toBe(failure)
    expect(await numbers()).not.toContain(2)
  })

  test('begins before the first statement of its body, which does not wait for that', async () => {
    await transaction(pool, async (client) => {
      const [first, second] = await Promise.all([
        client.query('select pg_current_xact_id() as id'),
        client.query('select pg_current_xact_id() as id'),
      ])
      expect(second.rows).toEqual(first.rows)
    })
  })

  test('is not taken for committed when a statement failed in it unnoticed', async () => {
    await expect(
      transaction(pool, async (client) => {
        await client.query('insert into notes values (3)')
        await client.query('select 1 / 0').catch(() => {})
      }),
    ).rejects.toThrow('rolled the transaction back')
    expect(await numbers()).not.toContain(3)
  })

  test('is not taken for committed when a deferred constraint fails at its end', async () => {
    await pool.query(/* sql */ `
      create table later (n integer unique deferrable initially deferred);
      insert into later values (1)`)
    await expect(
      transaction(pool, (client) => client.query('insert into later values (1)')),
    ).rejects.toMatchObject({ code: '23505' })
    expect((await pool.query('select * from later')).rowCount).toBe(1)
  })

  test('leaves nothing running when it fails before its statements have ended', async () => {
    await expect(
      transaction(pool, async (client) => {
        const slow = client.query('select pg_sleep(0.05)')
        const failing = client.query('insert into notes values (1)')
        await Promise.all([failing, slow])
      }),
    ).rejects.toMatchObject({ code: '23505' })
    const { rows } = await pool.query(`select now() = statement_timestamp() as alone`)
    expect(rows).toEqual([{ alone: true }])
  })

  test('gives its connection back, also after an error', async () => {
    for (let n = 0; n < 3; n += 1) {
      await transaction(pool, () => Promise.reject(new Error('no'))).catch(() => {})
    }
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
  })

  test('does not give a lost connection back', async () => {
    await expect(
      transaction(pool, async (client) => {
        const { rows } = await client.query('select pg_backend_pid() as pid')
        await database.pool.query('select pg_terminate_backend($1, 5000)', [rows[0].pid])
        await client.query('select 1')
      }),
    ).rejects.toThrow()
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test.each([
    [{}, 'on'],
    [{ durable: true }, 'on'],
    [{ durable: false }, 'off'],
  ])('with %o commits with synchronous_commit %s, and only itself', async (options, expected) => {
    const show = 'show synchronous_commit'
    const inside = await transaction(pool, (client) => client.query(show), options)
    expect(inside.rows).toEqual([{ synchronous_commit: expected }])
    expect((await pool.query(show)).rows).toEqual([{ synchronous_commit: 'on' }])
  })
})
