import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { createStore, type Store } from '../../src/index.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { followProjection } from '../../src/worker/follow-projection.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { counted, counts } from './counts.ts'
import { commit, follow, names, untilApplied } from './fixtures.ts'

const database = useDatabase()
let store: Store

beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  await commit(database.pool, counted(50))
})

afterAll(() => store.close())

/** Makes version 1 live and version 2 ready. */
async function prepare(name: string): Promise<void> {
  await using first = await follow(database, counts(name, 1))
  await first.untilCaughtUp()
  await store.rebuild(counts(name, 2))
}

async function totalIn(schema: string): Promise<number> {
  const { rows } = await database.pool.query(`select total from ${schema}.totals`)
  return rows[0]?.total
}

test('a switch leaves a view alone that the user made beside those of the projection', async () => {
  const name = 'beside'
  await prepare(name)
  await database.pool.query(
    `create view ${name}.report as select key, count from ${name}.counts where count > 1`,
  )
  await store.promote(name)
  const { rows } = await database.pool.query(`select * from ${name}.report`)
  expect(rows).toHaveLength(3)
  await store.rollback(name)
  expect((await database.pool.query(`select * from ${name}.report`)).rows).toHaveLength(3)
})

test('a rollback to a version that nobody has kept up to date is refused, unless it may lag', async () => {
  const name = 'left_behind'
  await prepare(name)
  await store.promote(name)
  await commit(database.pool, counted(20))
  await expect(store.rollback(name, { maxLag: 5n })).rejects.toMatchObject({
    code: 'PROJECTION_BEHIND',
    details: { projection: name, version: 1 },
  })
  expect(await store.rollback(name, { maxLag: 1_000n })).toMatchObject({ live: 1 })
})

test('a reader of two views is no victim of a switch, however long that may wait', async () => {
  const name = 'crossed'
  await prepare(name)
  const [reader, switcher] = [await database.client(), 'tidemark store']
  // The switch locks the views by name, "counts" first; this reader takes them the other way.
  await reader.query('begin')
  await reader.query(`select * from ${name}.totals`)
  const promoting = store.promote(name, { lockTimeoutMs: 4_000, maxAttempts: 5 })
  await until('the switch to wait for the reader', async (saw) => {
    const { rows } = await database.pool.query(
      /* sql */ `
      select wait_event_type, query
      from pg_stat_activity
      where datname = current_database() and application_name = $1 and wait_event_type = 'Lock'`,
      [switcher],
    )
    saw(rows)
    return rows.length > 0
  })
  // It waits for the switch now, which waits for it.
  const { rows } = await reader.query(`select distinct version from ${name}.counts`)
  expect(rows).toEqual([{ version: 1 }])
  await reader.query('commit')
  expect(await promoting).toMatchObject({ live: 2 })
})

test('a worker takes the drop of a version that it follows as such, and follows it when it is built anew', async () => {
  const name = 'dropped'
  const { connectionString } = database
  await prepare(name)
  const log = captureLog()
  const pool = createPool({ connectionString, max: 4 })
  const session = new LogSession({ connectionString, names, logger: log, pollIntervalMs: 50 })
  await using worker = inBackground(async (signal) => {
    const context = {
      pool,
      names,
      session,
      logger: log,
      owner: 'test',
      batchSize: 100,
      maxAttempts: 2,
    }
    const following = followProjection(counts(name, 2), context, { create: 'first' }, signal)
    await Promise.all([session.run(signal), following]).finally(() => pool.end())
  })
  await commit(database.pool, counted(3))
  await untilApplied(database.pool, { name, version: 2 })

  await store.drop(name, 2)
  await commit(database.pool, counted(3))
  await until('the worker to notice', (saw) => {
    saw(log.lines)
    return log.lines.some((line) => line.message.includes('is not built yet'))
  })
  expect(log.at('error')).toEqual([])

  await ensureVersion(database.pool, names, counts(name, 2), 'any')
  await commit(database.pool, counted(3))
  await untilApplied(database.pool, { name, version: 2 })
  const { rows } = await database.pool.query('select count(*)::integer as n from tidemark.events')
  expect(await totalIn(`${name}_v2`)).toBe(rows[0].n)
  await worker.stop()
})
