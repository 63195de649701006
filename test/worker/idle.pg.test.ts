import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runWorker } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { startServer } from '../sequencer/start-server.ts'
import { until } from '../support/until.ts'
import { accounts, lastEntries } from './fixtures/accounts.ts'

const workers = 20
const seconds = 10

test(`${workers} idle workers ask the server less than 5 queries a second, together`, async () => {
  const { connectionString, pool } = await startServer({
    shared_preload_libraries: 'pg_stat_statements',
    max_connections: '150',
  })
  await pool.query('create extension pg_stat_statements')
  const projections = [accounts, lastEntries, { ...accounts, version: 2 }]
  await using running = inBackground((signal) =>
    Promise.all(
      Array.from({ length: workers }, () =>
        runWorker({ connectionString, projections, sealIntervalMs: 1_000 }, signal),
      ),
    ),
  )
  const connections = () =>
    pool.query<{ sessions: number; others: number }>(/* sql */ `
      select
        count(*) filter (where application_name = 'tidemark session')::integer as sessions,
        count(*) filter (where application_name = 'tidemark worker')::integer as others
      from pg_stat_activity
      where datname = current_database()`)
  // What a pool has not needed for ten seconds it ends.
  await until(
    'all workers to rest',
    async (saw) => {
      const { rows } = await connections()
      saw(rows)
      return rows[0]?.sessions === workers && rows[0].others === 0
    },
    { timeoutMs: 40_000 },
  )
  await pool.query('select pg_stat_statements_reset()')
  await sleep(seconds * 1_000)
  const { rows } = await pool.query<{ query: string; calls: number }>(/* sql */ `
    select query, calls::integer
    from pg_stat_statements
    where query not like '%pg_stat_%'
    order by calls desc`)
  const calls = rows.reduce((sum, row) => sum + row.calls, 0)
  expect(calls / seconds, JSON.stringify(rows)).toBeLessThan(5)
  expect(calls).toBeGreaterThan(0)
  await running.stop()
}, 90_000)
