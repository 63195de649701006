import { describe, expect, test } from 'vitest'
import { migrate } from '../../src/worker/migrate.ts'
import { listObjectsOutside } from '../db/catalog-snapshot.ts'
import { expectWorking } from '../db/installed-log.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'

const database = useDatabase({ template: false })

async function jobTables(schema: string) {
  const { rows } = await database.pool.query(
    `select from pg_tables where schemaname = $1 and tablename = '_private_jobs'`,
    [schema],
  )
  return rows.length
}

describe('migrate', () => {
  test('installs the log and graphile-worker, once when several run at once', async () => {
    const { connectionString, pool } = database
    const runs = Array.from({ length: 5 }, () => migrate({ connectionString }))
    const results = await Promise.all(runs)

    expect(results.filter(({ migrations }) => migrations.length > 0).length).toBe(1)
    expect(await jobTables('graphile_worker')).toBe(1)
    await expectWorking(pool)
  })

  test('puts log and jobs into the schemas that it is given', async () => {
    const { connectionString, pool } = database
    await migrate({ connectionString, schema: 'orders', jobSchema: 'order_jobs' })
    expect(await jobTables('order_jobs')).toBe(1)
    await expectWorking(pool, 'orders')
  })

  test('leaves graphile-worker to others when asked to', async () => {
    await using bare = await createTestDatabase({ template: false })
    const before = await listObjectsOutside(bare.pool, ['tidemark'])
    await migrate({ connectionString: bare.connectionString, jobSchema: false })
    const after = await listObjectsOutside(bare.pool, ['tidemark'])
    expect(after.filter((object) => !before.includes(object))).toEqual(['publication tidemark_log'])
  })

  test('changes nothing in graphile-worker when it runs again', async () => {
    const { connectionString, pool } = database
    const applied = 'select *, xmin from graphile_worker.migrations order by id'
    const before = await pool.query(applied)
    expect(before.rows.length).toBeGreaterThan(0)
    await migrate({ connectionString })
    expect((await pool.query(applied)).rows).toEqual(before.rows)
  })

  test('refuses a schema name that cannot be used', async () => {
    const { connectionString } = database
    await expect(migrate({ connectionString, schema: 'My Log' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      details: { option: 'schema' },
    })
  })
})
