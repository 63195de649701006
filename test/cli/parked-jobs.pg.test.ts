import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase({ template: false })

const config = `
import { z } from 'zod'
import { defineConfig, task } from 'tidemark'
const print = task('print', { payload: z.object({ n: z.number() }), run: async () => {} })
export default defineConfig({ connectionString: process.env.DATABASE_URL, tasks: [print] })
`

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': config })
  await migrate({ connectionString: database.connectionString })
})
afterAll(() => project[Symbol.asyncDispose]())

const run = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

/** A job that has failed at its last attempt. */
async function makeDead(n: number): Promise<string> {
  const event = { id: 'x', type: 'order.placed', streamId: 'order-7', position: '1234' }
  const payload = { n, _tidemark: { key: 'k', reactor: 'printing', event } }
  const { rows } = await database.pool.query(
    "select id::text from graphile_worker.add_job('print', $1)",
    [JSON.stringify(payload)],
  )
  await database.pool.query(
    'update graphile_worker._private_jobs set attempts = max_attempts, last_error = $2 where id = $1',
    [rows[0].id, 'Error: out of \u001b[31mpaper\n    at print (print.ts:1:1)'],
  )
  return rows[0].id
}

test('lists, shows, retries and gives up jobs that gave up', { timeout: 180_000 }, async () => {
  const id = await makeDead(3)
  const list = await run('parked', 'list')
  expect(list.stdout).toMatch(
    new RegExp(`│ ${id} +│ print │ +25 +│ 1,234 │ order-7 │ 0 +│ Error: out of \\[31mpaper │`),
  )
  const [json] = JSON.parse((await run('parked', 'list', '--json')).stdout)
  expect(json).toMatchObject({
    kind: 'job',
    id,
    task: 'print',
    payload: { n: 3 },
    reactor: 'printing',
  })
  const shown = await run('parked', 'show', '--job', id)
  expect(shown.stdout).toContain(
    'asked for by event "order.placed" of stream "order-7" at position 1,234, reactor "printing"\n' +
      'payload: {"n":3}\nError: out of  [31mpaper\n    at print (print.ts:1:1)',
  )
  expect((await run('status')).stdout).toContain('1 jobs gave up: `tidemark parked list` shows why')

  const retried = await run('parked', 'retry', '--job', id)
  expect(retried).toMatchObject({ code: 0, stdout: '1 jobs run again\n' })
  expect((await run('parked', 'list')).stdout).toBe('nothing is parked\n')
  expect((await run('parked', 'list', 'print')).stdout).toBe('nothing is parked\n')
  expect((await run('parked', 'list', 'other')).stderr).toContain('PROJECTION_UNKNOWN')
  expect((await run('parked', 'retry', '--job', id)).code).toBe(4)

  await database.pool.query('update graphile_worker._private_jobs set attempts = max_attempts')
  const unsure = await run('parked', 'discard', '--job', id)
  expect(unsure).toMatchObject({ code: 0, stderr: '' })
  expect(unsure.stdout).toContain('payload: {"n":3}')
  expect(unsure.stdout.trim().split('\n').at(-1)).toBe(
    'nothing was changed: with --yes this job will never run',
  )
  expect((await run('parked', 'discard', '--job', '999')).code).toBe(4)
  const done = await run('parked', 'discard', '--job', id, '--yes')
  expect(done).toMatchObject({ code: 0, stdout: `job ${id} is given up\n` })
  expect((await database.pool.query('select from graphile_worker.jobs')).rows).toEqual([])
})
