// A worker whose jobs charge once and then take some time, for a test that kills it. Writes "running" first.
import pg from 'pg'
import { z } from 'zod'
import { event, reactor, runWorker, task } from '../../src/index.ts'

const connectionString = process.env.DATABASE_URL ?? ''
const pool = new pg.Pool({ connectionString, application_name: 'job' })
pool.on('error', () => {})

const Ordered = event('ordered').v(1, z.object({ n: z.int() }))

const charge = task('charge', {
  payload: z.object({ n: z.int() }),
  run: async ({ n }, { once, store, job, signal }) => {
    await pool.query('insert into begun (n, stream) values ($1, $2)', [n, job.event?.streamId])
    await once('charge', async (tx) => {
      await tx.query('insert into charges (n, stream) values ($1, $2)', [n, job.event?.streamId])
      await store.append(`charge-${n}`, { type: 'charged', schemaVersion: 1, data: { n } }, { tx })
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    signal.throwIfAborted()
    await pool.query('insert into ended (n, stream) values ($1, $2)', [n, job.event?.streamId])
  },
})

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const working = runWorker(
  {
    connectionString,
    pollIntervalMs: 100,
    jobTakeoverMs: 300,
    tasks: [charge],
    reactors: [
      reactor('charging', {
        events: [Ordered],
        from: 'start',
        on: { ordered: ({ data }) => charge(data, { order: 'stream' }) },
      }),
    ],
  },
  stop.signal,
)
process.stdout.write('running\n')
await working
await pool.end()
