import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd, untilStreaming } from './slots.ts'
import { runCli, startCli } from './spawn-cli.ts'
import { appendNumbers, foldNumbers, readSums, sumsConfig } from './sums-project.ts'

const eventCount = 1_000
const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': sumsConfig })
  const { connectionString } = database
  await migrate({ connectionString })
  await appendNumbers(connectionString, eventCount)
  await makeLive()
})
afterAll(() => project[Symbol.asyncDispose]())

const settings = (env: Record<string, string>) => ({
  cwd: project.directory,
  env: { DATABASE_URL: database.connectionString, ...env },
})

/** The first version that a log sees is live at once; only later ones are rebuilt. */
async function makeLive(): Promise<void> {
  await using worker = startCli(['worker'], settings({}))
  await until('the first version', async () => {
    const { rows } = await database.pool.query(
      "select from tidemark.projections where state = 'live'",
    )
    return rows.length > 0
  })
  await untilStreaming(database.pool)
  worker.child.kill('SIGTERM')
  await worker.result
}

async function positionOf(version: number): Promise<bigint> {
  const { rows } = await database.pool.query<{ position: string }>(
    "select position::text from tidemark.subscriptions where name = 'sums' and version = $1",
    [version],
  )
  return BigInt(rows[0]?.position ?? 0)
}

test.for([
  ['SIGINT', 130, '2'],
  ['SIGTERM', 143, '3'],
] as const)(
  'stops at %s with %i, and goes on from there when run again',
  async ([signal, exitCode, VERSION]) => {
    const args = ['rebuild', 'sums', '--batch-size', '20']
    await using first = startCli(args, settings({ VERSION, PAUSE_MS: '2' }))
    await until('some chunks', async (saw) => {
      const position = await positionOf(Number(VERSION))
      saw({ position, stderr: first.stderr() })
      return position > 0n
    })
    first.child.kill(signal)
    const stopped = await first.result
    expect(stopped.code).toBe(exitCode)
    expect(stopped.stdout).toBe('')
    const lines = stopped.stderr.trim().split('\n')
    expect(lines.at(-1)).toMatch(
      /^error OPERATION_CANCELLED: the rebuild of projection "sums" version \d was stopped near position \d+ of 1000: run it again to go on from there$/,
    )
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^sums version \d: \d+ of 1,000 \(/)

    const position = await positionOf(Number(VERSION))
    expect(position).toBeGreaterThan(0n)
    expect(position).toBeLessThan(BigInt(eventCount))
    expect(await readSums(database.pool, `sums_v${VERSION}`)).toEqual(foldNumbers(Number(position)))

    const again = await runCli(['rebuild', 'sums'], settings({ VERSION }))
    expect(again.code).toBe(0)
    expect(again.stdout).toMatch(
      /^projection "sums" version \d is built up to position 1,000 after .*: `tidemark promote sums` shows it\n$/,
    )
    expect(await readSums(database.pool, `sums_v${VERSION}`)).toEqual(foldNumbers(eventCount))
  },
)

test('tells in one line that a handler throws, and completes once it does not', async () => {
  const args = ['rebuild', 'sums', '--batch-size', '100']
  const failed = await runCli(args, settings({ VERSION: '4', POISON: '555' }))
  expect(failed.code).toBe(5)
  expect(failed.stdout).toBe('')
  expect(failed.stderr.trim().split('\n').at(-1)).toBe(
    'error SUBSCRIPTION_FAILED: projection "sums" version 4 failed on event "number.added" of stream ' +
      '"numbers-1" at position 555: cannot add 555',
  )
  expect(await positionOf(4)).toBe(554n)
  expect(await readSums(database.pool, 'sums_v4')).toEqual(foldNumbers(554))

  const status = await runCli(['status'], settings({}))
  expect(status.stdout).toMatch(/│ projection │ sums +│ +4 │ building +│ +554 │ +446 │ failed │/)
  expect(status.stdout.trim().split('\n').at(-1)).toBe(
    'projection "sums" version 4 failed on event "number.added" of stream "numbers-1" at position 555: ' +
      'cannot add 555',
  )

  const fixed = await runCli(args, settings({ VERSION: '4' }))
  expect(fixed.code).toBe(0)
  expect(await readSums(database.pool, 'sums_v4')).toEqual(foldNumbers(eventCount))
})

test('shows the stack trace of a handler when asked for', async () => {
  const env = { VERSION: '5', POISON: '1' }
  const { code, stderr } = await runCli(['rebuild', 'sums', '--verbose'], settings(env))
  expect(code).toBe(5)
  expect(stderr).toMatch(/^caused by: Error: cannot add\n +1\n +at .*tidemark\.config\.ts:20:/m)
})

test('writes nothing but the result with --json', async () => {
  const { code, stdout, stderr } = await runCli(
    ['--json', 'rebuild', 'sums'],
    settings({ VERSION: '6' }),
  )
  expect(code).toBe(0)
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toMatchObject({ version: 6, position: '1000' })
})

test('loses nothing when its connections are cut off', async () => {
  const args = ['rebuild', 'sums', '--batch-size', '20', '--json']
  await using first = startCli(args, settings({ VERSION: '7', PAUSE_MS: '2' }))
  await until('some chunks', async () => (await positionOf(7)) > 0n)
  await database.pool.query(/* sql */ `
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where datname = current_database() and application_name like 'tidemark%'`)
  // It goes on with new connections, or says that it cannot.
  const { code, stderr } = await first.result
  expect([0, 3], stderr).toContain(code)
  if (code === 3) expect(JSON.parse(stderr).error.code).toBe('CONNECTION_FAILED')

  expect((await runCli(args, settings({ VERSION: '7' }))).code).toBe(0)
  expect(await readSums(database.pool, 'sums_v7')).toEqual(foldNumbers(eventCount))
})

test('replays a version from a position or a time on, and says that it is not whole', {
  timeout: 90_000,
}, async () => {
  const env = { VERSION: '8' }
  const some = await runCli(['replay', 'sums', '--from', '901', '--json'], settings(env))
  expect(JSON.parse(some.stdout)).toMatchObject({ version: 8, state: 'ready', position: '1000' })
  const rows = await readSums(database.pool, 'sums_v8')
  expect(rows.reduce((sum, row) => sum + row.count, 0)).toBe(100)
  expect((await runCli(['status'], settings({}))).stdout).toContain(
    'projection "sums" version 8 holds only events after position 900',
  )
  const refused = await runCli(['promote', 'sums', '--version', '8'], settings({}))
  expect(refused.code).toBe(4)

  const now = new Date().toISOString()
  const none = await runCli(['replay', 'sums', '--from', now], settings(env))
  expect(none.code).toBe(0)
  const partial =
    /version 8 is built up to position 1,000 after .*, and holds only events after position 1,000: `tidemark promote sums --partial` shows it\n$/
  expect(none.stdout).toMatch(partial)
  expect((await runCli(['rebuild', 'sums'], settings(env))).stdout).toMatch(partial)
  expect(await readSums(database.pool, 'sums_v8')).toEqual([])
  const args = ['replay', 'sums', '--from', '1', '--max-rate', '5000']
  const whole = await runCli(args, settings(env))
  expect(whole.code).toBe(0)
  expect(whole.stdout).toMatch(/after [^,]*: `tidemark promote sums` shows it\n$/)
  expect(await readSums(database.pool, 'sums_v8')).toEqual(foldNumbers(eventCount))

  for (const from of ['0', 'x', '2026-99-99', '2026-11-21T10:00:00', '2126-01-01T00:00:00Z']) {
    const { code } = await runCli(['replay', 'sums', '--from', from], settings(env))
    expect(code).toBe(2)
  }
  const live = await runCli(['replay', 'sums', '--from', '1'], settings({ VERSION: '1' }))
  expect(live.code).toBe(4)
  expect(live.stderr).toContain('its readers would see it empty')
})

test('builds a version by several processes, of which nothing is left', async () => {
  // Slow enough that helpers have begun before it ends.
  const env = { VERSION: '9', PAUSE_MS: '5' }
  const args = ['rebuild', 'sums', '--parallel', '3', '--batch-size', '20', '--json']
  await using building = startCli(args, settings(env))
  let most = 0
  const watched = until(
    'the end',
    async () => {
      const { rows } = await database.pool.query<{ owners: number }>(
        "select count(distinct owner)::integer as owners from tidemark.subscriptions where name = 'sums' and version = 9",
      )
      most = Math.max(most, rows[0]?.owners ?? 0)
      return building.child.exitCode !== null
    },
    { timeoutMs: 60_000 },
  )
  const { code, stdout, stderr } = await building.result
  await watched
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ version: 9, position: '1000', state: 'ready' })
  expect(most).toBeGreaterThan(1)
  expect(await readSums(database.pool, 'sums_v9')).toEqual(foldNumbers(eventCount))
  const { rows } = await database.pool.query(
    "select partitions from tidemark.subscriptions where name = 'sums' and version = 9",
  )
  expect(rows).toEqual([{ partitions: 1 }])
})
