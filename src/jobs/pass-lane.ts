import type pg from 'pg'
import { transaction } from '../db/transaction.ts'
import { addJobs, type JobTarget } from './enqueue-jobs.ts'
import { endOrderedJob } from './ordered-jobs.ts'

/** Ends an ordered job and enqueues the next one of its lane, in one transaction. */
export async function passLane(
  pool: pg.Pool,
  target: JobTarget,
  lane: string,
  key: string,
  also: (client: pg.PoolClient) => Promise<void> = async () => {},
): Promise<void> {
  await transaction(
    pool,
    async (client) => {
      const next = await endOrderedJob(client, target.names, lane, key)
      if (next !== null) await addJobs(client, target, [next])
      await also(client)
    },
    { isolation: 'read committed' },
  )
}
