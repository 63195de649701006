import { expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { createPool } from '../../src/db/connect.ts'
import { JobPool } from '../../src/jobs/job-pool.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()

// graphile-worker 0.18 does so when its listener loses its connection while it is being stopped.
test('a connection that is given back twice ends no process', async () => {
  const pool = createPool({ connectionString: database.connectionString, max: 1 })
  const { signal } = new AbortController()
  const jobs = new JobPool(pool, { logger: silentLogger, signal, onGivenUp: () => {} })
  await new Promise<void>((resolve, reject) => {
    jobs.pool.connect((error, _client, release) => {
      if (error !== undefined) return reject(error)
      release()
      release()
      resolve()
    })
  })
  const { rows } = await jobs.pool.query('select 1 as one')
  expect(rows).toEqual([{ one: 1 }])
  expect(pool.totalCount).toBe(1)
  await pool.end()
})
