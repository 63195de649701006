import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd } from './slots.ts'
import { runCli } from './spawn-cli.ts'
import { appendNumbers, foldNumbers, readSums, sumsConfig } from './sums-project.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': sumsConfig })
  const { connectionString } = database
  await migrate({ connectionString })
  await appendNumbers(connectionString, 30)
})
afterAll(() => project[Symbol.asyncDispose]())

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(args, {
    cwd: project.directory,
    env: { DATABASE_URL: database.connectionString, ON_ERROR: 'park', ...env },
  })

test('shows what is parked, retries it and gives it up', { timeout: 120_000 }, async () => {
  const none = await run(['parked', 'list'])
  expect(none).toMatchObject({ code: 0, stdout: 'nothing is parked\n' })
  // The numbers of a key are 7 apart: 10, 17 and 24 are of key 3.
  const built = await run(['rebuild', 'sums'], { POISON: '10' })
  expect(built.code).toBe(0)

  const list = await run(['parked', 'list'])
  expect(list.stdout).toMatch(
    /│ projection "sums" version 1 │ sum_list │ 3 +│ 3 +│ 10 +│ number\.added │ cannot add 10 │/,
  )
  const [key] = JSON.parse((await run(['parked', 'list', 'sums', '--json'])).stdout)
  expect(key).toMatchObject({
    kind: 'projection',
    name: 'sums',
    version: 1,
    lane: 'sum_list',
    key: '3',
    events: 3,
    first: { position: '10', streamId: 'numbers-1', error: { message: 'cannot add 10' } },
  })
  const shown = JSON.parse((await run(['parked', 'show', 'sums', '--json'])).stdout)
  expect(shown.map(({ position }: { position: string }) => position)).toEqual(['10', '17', '24'])
  expect((await run(['parked', 'show', 'sums', '--key', '4'])).stdout).toBe('nothing is parked\n')

  const status = await run(['status'])
  expect(status.stdout.trim().split('\n').at(-1)).toBe(
    'projection "sums" version 1 has 3 events parked: `tidemark parked list sums` shows why',
  )
  const audit = await run(['audit', '--grace', '1'])
  expect(audit.code).toBe(0)
  expect(audit.stdout).toContain('warning events-parked at position 10')

  const again = await run(['parked', 'retry', 'sums'], { POISON: '17' })
  expect(again.code).toBe(5)
  expect(again.stdout).toBe(
    '1 events applied, 0 keys wait no more\n' +
      'key "3" of sum_list failed again at position 17: cannot add 17\n',
  )
  const place = ['--lane', 'sum_list', '--key', '3']
  const unsure = await run(['parked', 'discard', 'sums', ...place])
  expect(unsure).toMatchObject({ code: 0, stderr: '' })
  expect(unsure.stdout).toMatch(/│ 17 +│ number\.added │ numbers-1 │/)
  expect(unsure.stdout.trim().split('\n').at(-1)).toBe(
    'nothing was changed: with --yes 2 events will never be applied',
  )
  const asJson = await run(['parked', 'discard', 'sums', ...place, '--position', '24', '--json'])
  expect(asJson.code).toBe(0)
  expect(JSON.parse(asJson.stdout)).toMatchObject([{ position: '24' }])
  expect((await run(['parked', 'discard', 'sums', ...place, '--position', '18'])).code).toBe(4)
  const wrong = await run(['parked', 'discard', 'sums', ...place, '--position', '18', '--yes'])
  expect(wrong.code).toBe(4)
  const given = await run(['parked', 'discard', 'sums', ...place, '--position', '17', '--yes'])
  expect(given).toMatchObject({ code: 0, stdout: '1 events of key "3" are given up\n' })
  expect(given.stderr).toContain('will never apply the event at position 17')

  const done = await run(['parked', 'retry', 'sums'])
  expect(done).toMatchObject({ code: 0, stdout: '1 events applied, 1 keys wait no more\n' })
  const rows = await readSums(database.pool, 'sums')
  expect(rows.filter((row) => row.key !== 3)).toEqual(
    foldNumbers(30).filter((row) => row.key !== 3),
  )
  expect(rows.find((row) => row.key === 3)?.count).toBe(3)
  const nothing = await run(['parked', 'retry', 'sums', '--key', '3'])
  expect(nothing.code).toBe(4)
})

test('says that nothing of a name can have events parked', { timeout: 60_000 }, async () => {
  for (const args of [
    ['list', 'sum'],
    ['show', 'sum'],
    ['discard', 'sum', '--lane', 'sum_list', '--key', '3'],
  ]) {
    const { code, stdout, stderr } = await run(['parked', ...args])
    expect([code, stdout, stderr]).toEqual([
      4,
      '',
      'error PROJECTION_UNKNOWN: there is no projection, reactor, process, relay or task "sum"; known: "sums"\n',
    ])
  }
  const { stderr } = await run(['parked', 'list', 'sums', '--version', '7'])
  expect(stderr).toBe('error PROJECTION_VERSION_UNKNOWN: projection "sums" has no version 7\n')
})
