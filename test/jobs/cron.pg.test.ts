import { expect, test } from 'vitest'
import { z } from 'zod'
import { cron, task } from '../../src/index.ts'
import { timeoutMs } from '../projections/fixtures.ts'
import { until } from '../support/until.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()

test('a job by the clock runs with its payload, also for the times that were missed', async () => {
  const seen: { kind: string; dueAt: Date | undefined; isBackfilled: boolean | undefined }[] = []
  const report = task('report', {
    payload: z.strictObject({ kind: z.string() }),
    run: async ({ kind }, { job: { cron } }) =>
      void seen.push({ kind, dueAt: cron?.dueAt, isBackfilled: cron?.isBackfilled }),
  })
  // Graphile-worker makes up for nothing before it has known an item.
  await jobs.pool.query(
    `insert into graphile_worker._private_known_crontabs (identifier, known_since)
     values ('report', now() - interval '1 day')`,
  )
  const item = cron(report, '* * * * *', { kind: 'daily' }, { backfillMs: 180_000 })
  await using _working = jobs.work([report], { cron: [item] })
  await until('the missed times to be made up for', () => seen.length >= 2, { timeoutMs })
  expect(seen[0]).toEqual({ kind: 'daily', dueAt: expect.any(Date), isBackfilled: true })
  expect(new Set(seen.map(({ dueAt }) => dueAt?.getTime())).size).toBe(seen.length)
})

const never = task('never', { payload: z.object({ n: z.int().max(1) }), run: async () => {} })

test.for<[string, () => unknown, string]>([
  [
    'a payload that the schema refuses',
    () => cron(never, '* * * * *', { n: 2 }),
    'EVENT_DATA_INVALID',
  ],
  ['a time that is none', () => cron(never, '* * *', { n: 1 }), 'OPTION_INVALID'],
  [
    'attempts below one',
    () => cron(never, '* * * * *', { n: 1 }, { maxAttempts: 0 }),
    'OPTION_INVALID',
  ],
])('refuses %s', ([, make, code]) => {
  expect(make).toThrow(expect.objectContaining({ code }))
})

test.for<[string, object]>([
  ['a time that is none', { runAt: new Date(Number.NaN) }],
  ['two times', { runAt: new Date(), delayMs: 1 }],
  ['no attempt', { maxAttempts: 0 }],
  ['a priority that the server cannot keep', { priority: 40_000 }],
  ['an empty key', { coalesce: '' }],
  ['an order of jobs that coalesce', { coalesce: 'a', order: 'stream' }],
])('a job refuses %s', ([, options]) => {
  expect(() => never({ n: 1 }, options)).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})
