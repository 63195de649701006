import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { Store, Token } from '../../src/index.ts'
import { largeCommits } from './large-commits.ts'

const timeoutMs = 120_000

/**
 * Waits until the jobs are done and compares what they noted with the commits that ask for a job:
 * each must have been enqueued exactly once.
 */
export async function reviewDifferences(
  store: Store,
  pool: pg.Pool,
  repository: string,
  after: Token | undefined,
  minLines: number,
  schema: string,
): Promise<{ readonly count: number; readonly differences: readonly string[] }> {
  if (after !== undefined) await store.waitFor(after, largeCommits(minLines), { timeoutMs })
  await jobsDone(pool)
  const noted = await hashes(
    pool,
    'select hash from public.git_history_reviews where repository = $1 order by hash',
    [repository],
  )
  const asked = await hashes(
    pool,
    /* sql */ `
    select data ->> 'hash' as hash
    from ${schema}.events
    where type = 'git.commit.recorded'
      and data ->> 'repository' = $1
      and (data ->> 'additions')::bigint + (data ->> 'deletions')::bigint > $2
    order by hash`,
    [repository, minLines],
  )
  const agree = noted.join() === asked.join()
  const difference = `jobs: ${asked.length} commits are large, ${noted.length} reviews were noted`
  return { count: noted.length, differences: agree ? [] : [difference] }
}

async function jobsDone(pool: pg.Pool): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { rows } = await pool.query<{ waiting: number }>(
      "select count(*)::integer as waiting from graphile_worker.jobs where task_identifier = 'review-commit'",
    )
    if (rows[0]?.waiting === 0) return
    if (performance.now() > deadline) throw new Error(`${rows[0]?.waiting} jobs are still waiting`)
    await delay(50)
  }
}

async function hashes(pool: pg.Pool, text: string, values: unknown[]): Promise<string[]> {
  const { rows } = await pool.query<{ hash: string }>(text, values)
  return rows.map((row) => row.hash)
}
