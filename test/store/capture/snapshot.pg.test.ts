import { beforeEach, expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { useDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { brief, foldRows, readCategory } from './capture-fixture.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())
const query = (text: string) => database.pool.query(text)

let number = 0
let table = ''
let category = ''
beforeEach(() => {
  number += 1
  table = `public.rows_${number}`
  category = `r${number}`
})
const events = () => readCategory(database.pool, category)

async function expectFolded(columns = 'id, t'): Promise<void> {
  const { rows } = await query(`select ${columns} from ${table}`)
  const expected = new Map(rows.map((row) => [`${category}-${row.id}`, row]))
  expect(foldRows(await events())).toEqual(expected)
}

test('appends each row once, and none that the log has as it is', async () => {
  await query(`create table ${table} (id integer primary key, t text);
    insert into ${table} select g, 'old' from generate_series(1, 10) as g`)
  await captures().install(table, { as: category })
  await query(`update ${table} set t = 'new' where id = 3; delete from ${table} where id = 4;
    insert into ${table} values (11, 'new')`)
  const seen: number[] = []
  const result = await captures().snapshot(table, {
    batchSize: 3,
    onProgress: ({ rows }) => seen.push(rows),
  })
  expect(result).toEqual({ table, rows: 10, captured: 8 })
  expect(seen).toEqual([3, 6, 9, 10])
  const captured = (await events()).filter(({ type }) => type.endsWith('.captured'))
  expect(captured.map(brief)).toEqual(
    [1, 2, 5, 6, 7, 8, 9, 10].map((id) => `${category}-${id} 1 ${category}.captured`),
  )
  expect(captured[0]?.data).toEqual({ row: { id: 1, t: 'old' } })
  await expectFolded()
  expect(await captures().snapshot(table)).toEqual({ table, rows: 10, captured: 0 })
})

test('goes on where it was when it is cut off, and brings the log up to date after a gap', async () => {
  await query(`create table ${table} (id integer primary key, t text);
    insert into ${table} select g, 'old' from generate_series(1, 10) as g`)
  await captures().install(table, { as: category })
  const stop = new AbortController()
  await expect(
    captures().snapshot(table, {
      batchSize: 4,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    }),
  ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' })
  expect(await events()).toHaveLength(4)
  expect(await captures().snapshot(table)).toMatchObject({ rows: 10, captured: 6 })

  await captures().remove(table)
  await query(`update ${table} set t = 'unseen' where id > 8`)
  await captures().install(table, { as: category })
  expect(await captures().snapshot(table)).toMatchObject({ rows: 10, captured: 2 })
  await expectFolded()
})

test('waits for rows that somebody holds, last, and holds up nobody meanwhile', async () => {
  await query(`create table ${table} (id integer primary key, t text);
    insert into ${table} select g, 'old' from generate_series(1, 6) as g`)
  await captures().install(table, { as: category })
  const client = await database.client()
  await client.query(`begin; update ${table} set t = 'mine' where id in (2, 5)`)
  const seen: number[] = []
  const snapshot = captures().snapshot(table, {
    batchSize: 2,
    onProgress: ({ rows }) => seen.push(rows),
  })
  await until('all other rows to be captured', (saw) => {
    saw(seen)
    return seen.at(-1) === 4
  })
  // Whatever it waits for, it holds nothing that this update needs.
  await client.query(`update ${table} set t = 'too' where id in (1, 6)`)
  await client.query(`rollback to savepoint none`).catch(() => {})
  await client.query('rollback')
  expect(await snapshot).toEqual({ table, rows: 6, captured: 6 })
  await expectFolded()
})

test('misses no row and doubles none while sessions write', async () => {
  await query(`create table ${table} (a integer, id integer, t text, primary key (a, id));
    insert into ${table} select g % 5, g, 'old' from generate_series(1, 200) as g`)
  await captures().install(table, { as: category })
  const stop = new AbortController()
  const writers = [1, 2, 3].map(async (writer) => {
    for (let i = writer; !stop.signal.aborted; i += 7) {
      const id = 1 + (i % 220)
      const statements = [
        `update ${table} set t = '${i}' where id = ${id}`,
        `delete from ${table} where id = ${id}`,
        `insert into ${table} values (${id % 5}, ${id}, '${i}') on conflict do nothing`,
        `begin; update ${table} set t = 'lost' where id = ${id}; rollback`,
      ]
      await query(statements[i % statements.length] ?? '')
    }
  })
  const result = await captures().snapshot(table, { batchSize: 7 })
  stop.abort()
  await Promise.all(writers)
  expect(result.captured).toBeGreaterThan(50)
  const log = await events()
  const { rows } = await query(`select a, id, t from ${table}`)
  expect(foldRows(log)).toEqual(new Map(rows.map((row) => [`${category}-${row.a},${row.id}`, row])))
  // A row that the log knows is not found once more.
  const known = new Map<string, unknown>()
  for (const { streamId, type, data } of log) {
    if (type.endsWith('.captured')) expect(known.has(streamId), streamId).toBe(false)
    if (type.endsWith('.deleted')) known.delete(streamId)
    else known.set(streamId, data.row)
  }
})

test('refuses a table that is not captured', async () => {
  await query(`create table ${table} (id integer primary key)`)
  await expect(captures().snapshot(table)).rejects.toMatchObject({ code: 'TABLE_NOT_CAPTURED' })
})
