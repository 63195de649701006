import { afterAll, beforeAll, expect, test } from 'vitest'
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
})
afterAll(() => project[Symbol.asyncDispose]())

const tidemark = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

test('mode has appends apply a projection, and workers again', async () => {
  const { code, stdout, stderr } = await tidemark('mode', 'sums', 'inline')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toBe('projection "sums" version 1 is inline now: appends apply it themselves\n')
  const status = await tidemark('status')
  expect(status.stdout).toContain('inline')
  const back = await tidemark('mode', 'sums', 'async', '--json')
  expect(JSON.parse(back.stdout)).toEqual({ projection: 'sums', version: 1, mode: 'async' })
})

test('mode refuses what is neither, and a projection that is not there', async () => {
  expect((await tidemark('mode', 'sums', 'both')).code).toBe(2)
  expect((await tidemark('mode', 'other', 'inline')).code).toBe(4)
})
