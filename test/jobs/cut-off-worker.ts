// A worker whose every job cuts the connections of its own pool before it ends.
import pg from 'pg'
import { z } from 'zod'
import { event, reactor, runWorker, task } from '../../src/index.ts'

const connectionString = process.env.DATABASE_URL ?? ''
const pool = new pg.Pool({ connectionString, application_name: 'job' })

const Asked = event('asked').v(1, z.object({ n: z.int(), fails: z.boolean() }))

const cut = task('cut', {
  payload: z.object({ n: z.int(), fails: z.boolean() }),
  run: async ({ n, fails }, { job }) => {
    await pool.query('insert into ran (n) values ($1)', [n])
    await pool.query(/* sql */ `
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where datname = current_database() and application_name = 'tidemark worker'`)
    if (fails && job.attempt === 1) throw new Error('fails once')
  },
})

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
await runWorker(
  {
    connectionString,
    pollIntervalMs: 100,
    tasks: [cut],
    reactors: [
      reactor('asking', { events: [Asked], from: 'start', on: { asked: ({ data }) => cut(data) } }),
    ],
  },
  stop.signal,
)
await pool.end()
