import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeProject } from './make-project.ts'
import { dropSlotsAtEnd } from './slots.ts'
import { type RunningCli, runCli, startCli } from './spawn-cli.ts'
import { appendNumbers, foldNumbers, readSums, sumsConfig } from './sums-project.ts'

const database = useDatabase({ template: false })
dropSlotsAtEnd(database)

let project: Awaited<ReturnType<typeof makeProject>>
beforeAll(async () => {
  project = await makeProject({ 'tidemark.config.ts': sumsConfig })
  const { connectionString } = database
  await migrate({ connectionString })
  await appendNumbers(connectionString, 20)
})
afterAll(() => project[Symbol.asyncDispose]())

const settings = (VERSION: string) => ({
  cwd: project.directory,
  env: { DATABASE_URL: database.connectionString, VERSION },
})
const timeoutMs = 30_000

async function owners(): Promise<(string | null)[]> {
  const { stdout } = await runCli(['status', '--json'], settings('1'))
  return (JSON.parse(stdout) as { subscriptions: { owner: string | null }[] }).subscriptions.map(
    ({ owner }) => owner && (owner.split(':')[1] ?? null),
  )
}

async function untilOwned(by: readonly (number | undefined | null)[]): Promise<void> {
  const wanted = JSON.stringify(by.map((pid) => (pid == null ? null : String(pid))))
  await until(
    `the owners to be ${wanted}`,
    async (saw) => {
      const found = await owners()
      saw(found)
      return JSON.stringify(found) === wanted
    },
    { timeoutMs },
  )
}

async function untilApplied(version: number, count: number): Promise<void> {
  const wanted = JSON.stringify(foldNumbers(count))
  await until(
    `version ${version} to have ${count} events`,
    async (saw) => {
      const rows = await readSums(database.pool, `sums_v${version}`)
      saw(rows)
      return JSON.stringify(rows) === wanted
    },
    { timeoutMs },
  )
}

async function stop({ child, result }: RunningCli): Promise<void> {
  child.kill('SIGTERM')
  expect((await result).code).toBe(0)
}

test('two worker processes of different code apply each the versions that they define, and say so', {
  timeout: 120_000,
}, async () => {
  await using old = startCli(['worker'], settings('1'))
  await untilOwned([old.child.pid])
  await untilApplied(1, 20)
  expect((await runCli(['rebuild', 'sums'], settings('2'))).code).toBe(0)
  const status = await runCli(['status'], settings('2'))
  expect(status.stdout).toContain(
    'projection "sums" version 2 is not followed: no running worker has its definition\n',
  )

  await using next = startCli(['worker'], settings('2'))
  await untilOwned([old.child.pid, next.child.pid])
  expect(next.stderr()).toContain(
    'projection \\"sums\\" version 1, which is live, is left to workers with its definition',
  )
  expect((await runCli(['status'], settings('1'))).stdout).not.toContain('is not followed')

  expect((await runCli(['promote', 'sums'], settings('1'))).code).toBe(0)
  expect((await runCli(['diff', 'sums'], settings('1'))).code).toBe(0)
  await stop(old)
  await untilOwned([null, next.child.pid])
  expect((await runCli(['status'], settings('1'))).stdout).toContain(
    'projection "sums" version 1 is not followed: no running worker has its definition\n',
  )
  await stop(next)
})
