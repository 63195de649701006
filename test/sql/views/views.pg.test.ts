import { expect, test } from 'vitest'
import { useDatabase } from '../../support/database.ts'
import { appendTypes, readView, sequence } from '../log-fixture.ts'

const database = useDatabase()

test('the log shows sequenced events only, in commit order, with dense positions', async () => {
  const { pool } = database
  const early = await database.client()
  await early.query('begin')
  await appendTypes(early, 'early-1', ['begun.first'])
  await appendTypes(pool, 'late-1', ['committed.first'])
  await sequence(pool)
  await early.query('commit')
  await early.end()
  expect((await readView(pool)).map(({ type }) => type)).toEqual(['committed.first'])

  await appendTypes(pool, 'late-1', ['committed.last', 'committed.last'])
  await sequence(pool)
  expect(
    (await readView(pool)).map(({ position, streamId, version, type }) => {
      return [position, streamId, version, type]
    }),
  ).toEqual([
    [1n, 'late-1', 1n, 'committed.first'],
    [2n, 'early-1', 1n, 'begun.first'],
    [3n, 'late-1', 2n, 'committed.last'],
    [4n, 'late-1', 3n, 'committed.last'],
  ])
})

test('the streams have their last versions and times, sequenced or not', async () => {
  const { pool } = database
  await appendTypes(
    pool,
    'counted-1',
    Array.from({ length: 12 }, () => 'counted'),
  )
  const { rows } = await pool.query(
    `select version, first_recorded_at <= last_recorded_at as ordered
    from tidemark.streams where stream_id = 'counted-1'`,
  )
  expect(rows).toEqual([{ version: '12', ordered: true }])
})
