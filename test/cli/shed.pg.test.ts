import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, migrate, silentLogger } from '../../src/index.ts'
import { installJobs } from '../../src/jobs/run-jobs.ts'
import { sequence } from '../projections/fixtures.ts'
import { useDatabase } from '../support/database.ts'
import { makeProject } from './make-project.ts'
import { runCli } from './spawn-cli.ts'

const database = useDatabase({ template: false })

const config = `
import { z } from 'zod'
import { defineConfig, event, reactor, task } from 'tidemark'
const Seen = event('seen').v(1, z.object({ n: z.number() }))
const print = task('print', { payload: z.object({ n: z.number() }), run: async () => {} })
const printing = reactor('printing', {
  events: [Seen],
  on: { seen: (e) => print({ n: e.data.n }) },
  shed: { types: ['seen'], highWater: 10 },
})
export default defineConfig({
  connectionString: process.env.DATABASE_URL, reactors: [printing], tasks: [print],
})
`

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': config })
  await migrate({ connectionString: database.connectionString })
  await installJobs(database.pool, 'graphile_worker', silentLogger)
})
afterAll(() => project[Symbol.asyncDispose]())

const run = (...args: readonly string[]) =>
  runCli(args, { cwd: project.directory, env: { DATABASE_URL: database.connectionString } })

test('lists, replays and gives up shed events', { timeout: 180_000 }, async () => {
  expect(await run('shed', 'list')).toMatchObject({ code: 0, stdout: 'nothing was shed\n' })
  const Seen = event('seen').v(1, z.object({ n: z.number() }))
  await using store = await createStore({ connectionString: database.connectionString })
  await store.append('shop', [Seen({ n: 1 }), Seen({ n: 2 }), Seen({ n: 3 })])
  await sequence(database.pool)
  const shed = () =>
    database.pool.query(
      "insert into tidemark.shed_events (reactor, positions, behind) values ('printing', '{1,3}', 99)",
    )
  await shed()
  const list = await run('shed', 'list', 'printing')
  expect(list.stdout).toMatch(/│ printing │ +2 │ +1 │ +3 │ \d{4}-/)
  const [json] = JSON.parse((await run('shed', 'list', '--json')).stdout)
  expect(json).toMatchObject({ reactor: 'printing', events: 2, first: '1', last: '3' })

  const replayed = await run('shed', 'replay', 'printing')
  expect(replayed.stdout).toBe('2 events of reactor "printing" are replayed\n')
  const { rows } = await database.pool.query(
    "select (payload ->> 'n')::integer as n from graphile_worker._private_jobs order by id",
  )
  expect(rows).toEqual([{ n: 1 }, { n: 3 }])
  const again = await run('shed', 'replay', 'printing')
  expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining('SHED_EVENTS_UNKNOWN') })
  const other = await run('shed', 'replay', 'other')
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('the config file has no reactor "other"'),
  })

  await shed()
  const unsure = await run('shed', 'discard', 'printing')
  expect(unsure.stdout).toContain('nothing was changed')
  expect(await store.shed.list()).toHaveLength(1)
  const discarded = await run('shed', 'discard', 'printing', '--yes')
  expect(discarded.stdout).toBe('2 events of reactor "printing" are given up\n')
  expect((await run('shed', 'discard', 'printing')).code).toBe(4)
})
