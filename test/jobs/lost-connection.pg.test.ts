import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { append, dropLogSlots } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

test('a worker survives that its connections are lost just when jobs end, well or not', async () => {
  await database.pool.query('create table ran (n integer)')
  const jobs = Array.from({ length: 30 }, (_, n) => ({ n, fails: n % 3 === 0 }))
  await append(
    database.pool,
    'asked',
    jobs.map((data) => ({ type: 'asked', data })),
  )

  const worker = spawn(process.execPath, [join(import.meta.dirname, 'cut-off-worker.ts')], {
    env: { ...process.env, DATABASE_URL: database.connectionString },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(() => {
    worker.kill('SIGKILL')
  })
  let said = ''
  worker.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await until(
    'every job to have run and to be gone',
    async (saw) => {
      // A failed job waits for seconds: not here.
      await database.pool.query('update graphile_worker._private_jobs set run_at = now()')
      const { rows } = await database.pool.query(/* sql */ `
        select
          (select count(distinct n) from ran)::integer as ran,
          (select count(*) from graphile_worker.jobs)::integer as left`)
      saw({ ...rows[0], exitCode: worker.exitCode, said })
      return worker.exitCode !== null || (rows[0].ran === jobs.length && rows[0].left === 0)
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  )
  expect(worker.exitCode, said).toBeNull()

  worker.kill('SIGTERM')
  if (worker.exitCode === null) await once(worker, 'exit')
  expect(worker.exitCode, said).toBe(0)
})
