import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { append, dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()
afterAll(() => dropLogSlots(database.connectionString))

const [streams, each, kills] = [3, 6, 4]

function startWorker(): ChildProcess {
  const worker = spawn(process.execPath, [join(import.meta.dirname, 'charging-worker.ts')], {
    env: { ...process.env, DATABASE_URL: database.connectionString },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  onTestFinished(() => {
    worker.kill('SIGKILL')
  })
  return worker
}

async function end(worker: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  worker.kill(signal)
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit')
}

async function count(table: string): Promise<number> {
  const { rows } = await database.pool.query(`select count(*)::integer as n from ${table}`)
  return rows[0].n
}

test('jobs of killed workers run again, in order, and what they do once is done once', async () => {
  const columns = '(id bigint generated always as identity, n integer, stream text)'
  for (const table of ['begun', 'charges', 'ended'])
    await database.pool.query(`create table ${table} ${columns}`)
  for (let n = 0; n < streams * each; n += 1) {
    await append(database.pool, `order-${n % streams}`, [{ type: 'ordered', data: { n } }])
  }
  for (let kill = 0; kill < kills; kill += 1) {
    const before = await count('begun')
    const worker = startWorker()
    const begun = async (saw: (value: unknown) => void) => {
      const now = await count('begun')
      saw({ before, now, exitCode: worker.exitCode })
      return now > before + 1
    }
    await until('jobs to be under way', begun, { timeoutMs: 30_000 })
    await end(worker, 'SIGKILL')
  }
  const [first, second] = [startWorker(), startWorker()]
  await until(
    'all jobs to be done',
    async (saw) => {
      const { rows } = await database.pool.query(
        'select count(distinct n)::integer as ended, (select count(*) from graphile_worker.jobs)::integer as left from ended',
      )
      saw(rows)
      return rows[0].ended === streams * each && rows[0].left === 0
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )
  await Promise.all([end(first, 'SIGTERM'), end(second, 'SIGTERM')])
  expect([first.exitCode, second.exitCode]).toEqual([0, 0])

  const { rows } = await database.pool.query(
    'select stream, array_agg(n order by id) as n from charges group by stream order by stream',
  )
  const ofStream = (s: number) => Array.from({ length: each }, (_, i) => i * streams + s)
  expect(rows).toEqual([0, 1, 2].map((s) => ({ stream: `order-${s}`, n: ofStream(s) })))
  const charged = await database.pool.query(
    "select count(*)::integer as n from tidemark.events where type = 'charged'",
  )
  expect(charged.rows).toEqual([{ n: streams * each }])
  // Something was under way each time that a worker was killed.
  expect(await count('begun')).toBeGreaterThan(streams * each)
  expect(await count('tidemark.job_workers where missed_at is null')).toBe(0)
}, 180_000)
