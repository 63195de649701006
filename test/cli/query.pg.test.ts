import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd } from './slots.ts'
import { runCli } from './spawn-cli.ts'
import { appendNumbers, foldNumbers, sumsConfig } from './sums-project.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

let project: Awaited<ReturnType<typeof makeProject>>

beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': sumsConfig })
  const { connectionString } = database
  await migrate({ connectionString })
  await appendNumbers(connectionString, 20)
  expect((await cli('rebuild', 'sums')).code).toBe(0)
})
afterAll(() => project[Symbol.asyncDispose]())

const cli = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

const all = 'select key, trail, count from sum_list order by key'

function asText(rows: ReturnType<typeof foldNumbers>) {
  return rows
    .toSorted((a, b) => a.key - b.key)
    .map(({ key, trail, count }) => ({ key: `${key}`, trail, count: `${count}` }))
}

test('reads the live version', async () => {
  const { code, stdout, stderr } = await cli('query', all, 'sums', '--json')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({
    columns: ['key', 'trail', 'count'],
    rows: asText(foldNumbers(20)),
    hasMore: false,
    position: null,
  })
})

test.for([0, 1, 9, 20])('reads it as of position %i', async (position) => {
  const { stdout } = await cli('query', all, 'sums', '--as-of', `${position}`, '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    rows: asText(foldNumbers(position)),
    position: `${position}`,
  })
})

test('reads it as of a time', async () => {
  const { stdout } = await cli('query', all, 'sums', '--as-of', '2020-01-01T00:00:00Z', '--json')
  expect(JSON.parse(stdout).rows).toEqual([])
  const { rows } = await database.pool.query(
    "select count(*)::integer as left from pg_namespace where nspname like 'tidemark_asof%'",
  )
  expect(rows).toEqual([{ left: 0 }])
})

test('shows a table, and says that there is more', async () => {
  const { stdout } = await cli(
    'query',
    "select 'a\tb' as x, null as y from sum_list;",
    'sums',
    '--limit',
    '2',
  )
  expect(stdout).toContain('│ a b │')
  expect(stdout).toMatch(/the first 2 rows; --limit shows more\n$/)
  expect((await cli('query', 'select 1 as one', 'sums')).stdout).toMatch(/1 row\n$/)
  const past = await cli('query', 'select 1 as one', 'sums', '--as-of', '2020-01-01')
  expect(past.stdout).toMatch(/1 row as of position 0\n$/)
})

test.for([
  ['a write', 'insert into sum_list values (1, 1, 1)'],
  ['a write within', 'with w as (delete from sum_list returning 1) select * from w'],
  ['two statements', 'select 1; select 2'],
  ['a mistake', 'select nothing from sum_list'],
  ['an unknown projection', all, 'orders'],
  ['a version that was never built', all, 'sums', '--defined', '--version', '2'],
  ['a position that the log has not reached', all, 'sums', '--as-of', '21'],
  ['what is no moment', all, 'sums', '--as-of', 'last Tuesday'],
  ['a time without a zone', all, 'sums', '--as-of', '2026-11-21T10:00:00'],
  ['a time that is to come', all, 'sums', '--as-of', '2126-11-21T10:00:00Z'],
])('refuses %s', async ([, sql = '', projection = 'sums', ...options]) => {
  const { code, stdout, stderr } = await cli('query', sql, projection, ...options)
  expect(code).toBeGreaterThan(0)
  expect(code).not.toBe(1)
  expect(stdout).toBe('')
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  const { rows } = await database.pool.query('select count(*)::integer as n from sums.sum_list')
  expect(rows).toEqual([{ n: 7 }])
})
