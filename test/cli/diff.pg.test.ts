import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStore } from '../../src/index.ts'
import { counted, counts } from '../projections/counts.ts'
import { commit, follow } from '../projections/fixtures.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase()
let project: Awaited<ReturnType<typeof makeProject>>

beforeAll(async () => {
  project = await makeProject({})
  await commit(database.pool, counted(30))
  await using live = await follow(database, counts('sums', 1))
  await live.untilCaughtUp()
  await using store = await createStore({ connectionString: database.connectionString })
  await store.rebuild(counts('sums', 2))
})
afterAll(() => project[Symbol.asyncDispose]())

const diff = (...args: readonly string[]) =>
  runCli(['diff', 'sums', ...args], {
    cwd: project.directory,
    env: { DATABASE_URL: database.connectionString },
  })

test('says that all rows are the same, with exit code 0', async () => {
  const { code, stdout, stderr } = await diff('--ignore', 'version')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout).toBe(`projection "sums": version 1 and version 2 at position 30
counts: 3 same, 0 differ, 0 only in version 1, 0 only in version 2
  columns, ignored: version
totals: 1 same, 0 differ, 0 only in version 1, 0 only in version 2
  columns, ignored: version
all rows that were compared are the same
`)
})

test('shows what differs, with exit code 8', async () => {
  const { code, stdout, stderr } = await diff('--samples', '1')
  expect(code).toBe(8)
  expect(stdout).toBe(`projection "sums": version 1 and version 2 at position 30
counts: 0 same, 3 differ, 0 only in version 1, 0 only in version 2
  columns, differ: version in 3
  key "key-0": version "1" → "2"
totals: 0 same, 1 differ, 0 only in version 1, 0 only in version 2
  columns, differ: version in 1
  key "all": version "1" → "2"
they differ
`)
  expect(stderr).toBe('error PROJECTION_DIFFERS: versions 1 and 2 of projection "sums" differ\n')
})

test('compares by a query, and writes JSON', async () => {
  const sql = 'select key, version from {to}.counts where key > $$key-0$$ order by key'
  const { code, stdout } = await diff('--sql', sql, '--json')
  expect(code).toBe(8)
  expect(JSON.parse(stdout)).toEqual({
    projection: 'sums',
    from: 1,
    to: 2,
    position: '30',
    startPositions: { from: '0', to: '0' },
    isSame: false,
    tables: [],
    tablesOnlyInFrom: [],
    tablesOnlyInTo: [],
    query: {
      rows: '2',
      samples: [
        { key: 'key-1', version: '2' },
        { key: 'key-2', version: '2' },
      ],
    },
  })
})

test.for([
  [['--to', '9'], 4, 'PROJECTION_VERSION_UNKNOWN'],
  [['--sql', 'nonsense'], 2, 'OPTION_INVALID'],
  [['--samples', 'x'], 2, 'USAGE_INVALID'],
] as const)('refuses %s', async ([args, exit, error]) => {
  const { code, stderr } = await diff(...args)
  expect(code).toBe(exit)
  expect(stderr).toMatch(new RegExp(`^error ${error}: `))
})
