import { Kysely, PostgresDialect } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { forgetOnce, once } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

beforeEach(async () => {
  await database.pool.query(
    'create table if not exists effects (n integer); truncate effects, tidemark.once_results',
  )
})

async function countEffects(): Promise<number> {
  const { rows } = await database.pool.query('select count(*)::integer as n from effects')
  return rows[0].n
}

describe('once', () => {
  test.for<[string, null | undefined | string | number | boolean | object]>([
    ['an object', { a: 1, list: [null, 'null', ''], deep: { b: true } }],
    ['a text', '"quoted" 🦔'],
    ['zero', 0],
    ['null', null],
    ['nothing', undefined],
    ['false', false],
  ])('does it once and gives its result to whoever comes later: %s', async ([, result]) => {
    const run = () =>
      once(database.pool, 'test', 'key', async (tx) => {
        await tx.query('insert into effects values (1)')
        return result as never
      })
    expect(await run()).toEqual(result)
    expect(await run()).toEqual(result)
    expect(await countEffects()).toBe(1)
  })

  test('callers at once wait for each other', async () => {
    const results = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        once(database.pool, 'test', 'together', async (tx) => {
          await tx.query('insert into effects values ($1)', [n])
          return n
        }),
      ),
    )
    expect(new Set(results).size).toBe(1)
    expect(await countEffects()).toBe(1)
  })

  test('keeps nothing of what failed, and lets the one who waits do it', async () => {
    const failing = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const first = once(database.pool, 'test', 'failing', async (tx) => {
      await tx.query('insert into effects values (1)')
      began.resolve()
      await failing.promise
      throw new Error('not today')
    })
    await began.promise
    const second = once(database.pool, 'test', 'failing', async (tx) => {
      await tx.query('insert into effects values (2)')
      return 'done'
    })
    await until('the second to wait', async () => {
      const { rows } = await database.pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
      return rows.length === 1
    })
    failing.resolve()
    await expect(first).rejects.toThrow('not today')
    expect(await second).toBe('done')
    expect((await database.pool.query('select n from effects')).rows).toEqual([{ n: 2 }])
  })

  test('other scopes and keys are other effects', async () => {
    for (const [scope, key] of [
      ['a', 'b'],
      ['a', 'c'],
      ['ab', ''],
    ] as const) {
      await once(database.pool, scope, key, async (tx) => {
        await tx.query('insert into effects values (1)')
      })
    }
    expect(await countEffects()).toBe(3)
  })

  test('joins a transaction: it is done when that commits, and can fail within it', async () => {
    const client = await database.client()
    const insert = (n: number) =>
      once(client, 'test', `joined-${n}`, async (tx) => {
        await tx.query('insert into effects values ($1)', [n])
        if (n === 2) throw new Error('two')
        return n
      })
    await client.query('begin')
    expect(await insert(1)).toBe(1)
    await expect(insert(2)).rejects.toThrow('two')
    expect(await insert(3)).toBe(3)
    await client.query('commit')
    await client.query('begin')
    expect(await insert(4)).toBe(4)
    await client.query('rollback')
    expect((await database.pool.query('select n from effects order by n')).rows).toEqual([
      { n: 1 },
      { n: 3 },
    ])
    const { rows } = await database.pool.query('select key from tidemark.once_results order by key')
    expect(rows).toEqual([{ key: 'joined-1' }, { key: 'joined-3' }])
  })

  test('joins a transaction of Kysely', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: a table of the test's own
    const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: database.pool }) })
    const run = () =>
      db.transaction().execute((trx) =>
        once(trx, 'test', 'kysely', async (tx) => {
          await tx.insertInto('effects').values({ n: 1 }).execute()
          return { ok: true }
        }),
      )
    expect(await run()).toEqual({ ok: true })
    expect(await run()).toEqual({ ok: true })
    expect(await countEffects()).toBe(1)
  })

  test('refuses a connection that is in no transaction', async () => {
    const client = await database.client()
    await expect(once(client, 'test', 'alone', async () => 1)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })

  test('old results are forgotten, and what they name can be done again', async () => {
    await once(database.pool, 'test', 'old', async () => 'old')
    await once(database.pool, 'test', 'new', async () => 'new')
    await database.pool.query(
      "update tidemark.once_results set recorded_at = now() - interval '2 days' where key = 'old'",
    )
    expect(await forgetOnce(database.pool, 24 * 3_600_000)).toBe(1)
    expect(await once(database.pool, 'test', 'old', async () => 'again')).toBe('again')
    expect(await once(database.pool, 'test', 'new', async () => 'again')).toBe('new')
  })
})
