import { expect, test } from 'vitest'
import { z } from 'zod'
import { PermanentError, task } from '../../src/index.ts'
import { until } from '../support/until.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()
const payload = z.object({ n: z.int() })

/** Enqueues jobs of a task, with these numbers. */
async function add(name: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers) {
    await jobs.pool.query('select graphile_worker.add_job($1, $2)', [name, JSON.stringify({ n })])
  }
}

test('after failures in a row jobs are put off without an attempt, until one that is tried succeeds', async () => {
  let isUp = false
  const began: number[] = []
  const call = task('call', {
    payload,
    breaker: { failures: 3, restMs: 500 },
    run: async ({ n }) => {
      began.push(n)
      if (!isUp) throw new Error('the service is away')
    },
  })
  const other = task('other', { payload, run: async ({ n }) => void began.push(n) })
  await using _working = jobs.work([call, other], { concurrency: 1 })
  await add('call', 1, 2, 3)
  await until('three attempts', () => began.length >= 3)
  // The fourth is not begun; a job of another task is.
  await add('call', 4)
  await until('it to be put off', async () => {
    const [job] = (await jobs.jobs()).filter(({ payload: { n } }) => n === 4)
    return job?.error?.includes('is left alone until') === true
  })
  const [put] = (await jobs.jobs()).filter(({ payload: { n } }) => n === 4)
  expect(put).toMatchObject({ attempts: 0, locked: false })
  expect(put?.error).toMatch(
    /^CircuitOpenError: task "call" is left alone until .*; the last failure: Error: the service is away/,
  )
  await add('other', 99)
  await until('the other task', () => began.includes(99))
  isUp = true
  await jobs.hurryUntil('all to be done', async () => (await jobs.jobs()).length === 0)
  expect(began.filter((n) => n === 4)).toEqual([4])
})

test('what a payload is to blame for opens no circuit', async () => {
  const began: number[] = []
  const refuse = task('refuse', {
    payload,
    breaker: { failures: 1, restMs: 60_000 },
    run: async ({ n }) => {
      began.push(n)
      if (n < 4) throw new PermanentError('there is no such account')
    },
  })
  await using _working = jobs.work([refuse], { concurrency: 1 })
  await add('refuse', 1, 2, 3, 4)
  await until('the good one', () => began.includes(4))
  expect((await jobs.jobs()).every(({ error }) => error?.startsWith('PermanentError'))).toBe(true)
})

test('while one is tried the others wait, and its failure puts them off again', async () => {
  let failures = 0
  const began: string[] = []
  const call = task('call', {
    payload,
    breaker: { failures: 1, restMs: 300 },
    run: async ({ n }) => {
      began.push(`${n}`)
      failures += 1
      throw new Error(`failure ${failures}`)
    },
  })
  await using _working = jobs.work([call], { concurrency: 3 })
  await add('call', 1, 2, 3, 4, 5, 6)
  // At most `concurrency` are under way when the first fails, then one at a time is tried.
  await jobs.hurryUntil('several rests', () => failures >= 6)
  const attempts = (await jobs.jobs()).reduce((sum, job) => sum + job.attempts, 0)
  expect(attempts).toBeLessThanOrEqual(failures + 3)
  expect(attempts).toBeGreaterThanOrEqual(failures - 3)
})

test.each([
  { failures: 0, restMs: 1 },
  { failures: 1.5, restMs: 1 },
  { failures: 1, restMs: 0 },
  { failures: 1, restMs: Number.POSITIVE_INFINITY },
])('a breaker of %o is refused', (breaker) => {
  expect(() => task('x', { payload, breaker, run: async () => {} })).toThrow(
    expect.objectContaining({ code: 'DEFINITION_INVALID' }),
  )
})
