import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd, untilNobodyStreams, untilStreaming } from './slots.ts'
import { runCli, startCli } from './spawn-cli.ts'
import { appendNumbers, sumsConfig } from './sums-project.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

const JobAsked = event('job.asked').v(1, z.object({}))

const stuckConfig = `
import { defineConfig, event, reactor, task } from 'tidemark'
import { z } from 'zod'

const JobAsked = event('job.asked').v(1, z.object({}))
const stuck = task('stuck', {
  payload: z.object({}),
  run: async () => {
    console.error(JSON.stringify({ msg: 'stuck now' }))
    await new Promise(() => setInterval(() => {}, 1000))
  },
})
const asker = reactor('asker', {
  events: [JobAsked],
  from: 'start',
  on: { 'job.asked': () => stuck({}) },
})
export default defineConfig({ reactors: [asker], tasks: [stuck] })
`

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({
    'tidemark.config.ts': stuckConfig,
    'sums.config.ts': sumsConfig,
    'drifted.config.ts': sumsConfig.replace('count: integer()', 'count: bigint()'),
  })
  await migrate({ connectionString: database.connectionString })
})
afterAll(() => project[Symbol.asyncDispose]())

const settings = () => ({
  cwd: project.directory,
  env: { DATABASE_URL: database.connectionString },
})

test('ends at once when a second signal comes while a job does not end', async () => {
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [JobAsked] })
  await store.append('jobs-1', JobAsked({}))
  await using worker = startCli(['worker', '--log-level', 'warn'], settings())
  await until('the job to run', (saw) => {
    saw(worker.stderr())
    return worker.stderr().includes('stuck now')
  })
  await until('the second signal to be heard', () => {
    worker.child.kill('SIGTERM')
    return worker.child.exitCode !== null
  })
  expect((await worker.result).code).toBe(143)
  await untilNobodyStreams(database.pool)
})

test('stops at SIGINT with 0 and says nothing when it is told to be silent', async () => {
  const args = ['worker', '--log-level', 'silent', '--config', 'sums.config.ts']
  await using worker = startCli(args, settings())
  await until('the projection to be live', async () => {
    const { rows } = await database.pool.query(
      "select from tidemark.projections where state = 'live'",
    )
    return rows.length > 0
  })
  await untilStreaming(database.pool)
  worker.child.kill('SIGINT')
  expect(await worker.result).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('goes on without a projection whose tables have changed under a version, and says why', {
  timeout: 90_000,
}, async () => {
  // Refused when it is there already.
  await runCli(['rebuild', 'sums', '--config', 'sums.config.ts'], settings())
  await using worker = startCli(['worker', '--config', 'drifted.config.ts'], settings())
  const reason =
    'projection "sums" version 1: its tables are declared otherwise than they were made: raise `version` ' +
    'in its definition and rebuild'
  await until(
    'the projection to stand still',
    async (saw) => {
      saw(worker.stderr())
      const { rows } = await database.pool.query(
        "select from tidemark.subscriptions where name = 'sums' and state = 'failed'",
      )
      return rows.length > 0
    },
    { timeoutMs: 60_000 },
  )
  await untilStreaming(database.pool)
  const { stdout } = await runCli(['status'], settings())
  expect(stdout).toMatch(/│ projection │ sums +│ +1 │ live .*│ failed │ +│/)
  expect(stdout.trim().split('\n')).toContain(reason)
  const errors = worker
    .stderr()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === 'error')
  expect(errors.map(({ msg }) => msg)).toEqual([
    `${reason}; it is not followed until that is done; everything else goes on`,
  ])
  worker.child.kill('SIGTERM')
  expect((await worker.result).code).toBe(0)
})

test('shows once where a handler threw, without being asked', { timeout: 90_000 }, async () => {
  const { connectionString } = database
  const env = { DATABASE_URL: connectionString, VERSION: '1', POISON: '3' }
  const args = ['worker', '--config', 'sums.config.ts']
  await using worker = startCli(args, { ...settings(), env })
  const lines = () =>
    worker
      .stderr()
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line))
  await appendNumbers(connectionString, 3)
  await until(
    'the projection to stop',
    (saw) => {
      saw(worker.stderr())
      return lines().some(({ level }) => level === 'error')
    },
    { timeoutMs: 60_000 },
  )
  const withStack = lines().filter(({ stack }) => stack !== undefined)
  expect(withStack).toEqual([
    expect.objectContaining({
      level: 'error',
      code: 'HANDLER_FAILED',
      stack: expect.stringMatching(/cannot add\n +3\n +at .*sums\.config\.ts:20:/),
    }),
  ])
  expect(lines().filter(({ level }) => level === 'warn')).not.toEqual([])
  worker.child.kill('SIGTERM')
  expect((await worker.result).code).toBe(0)
})

test('runs the config file that init writes', async () => {
  await using fresh = await makeProject({})
  const options = { ...settings(), cwd: fresh.directory }
  expect((await runCli(['init'], options)).code).toBe(0)
  await using worker = startCli(['worker'], options)
  await until('the projection of the template', async (saw) => {
    saw(worker.stderr())
    const { rows } = await database.pool.query("select to_regclass('orders.order_list') as view")
    return rows[0]?.view !== null
  })
  await untilStreaming(database.pool)
  worker.child.kill('SIGTERM')
  expect((await worker.result).code).toBe(0)
})
