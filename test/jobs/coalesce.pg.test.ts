import { expect, test } from 'vitest'
import { z } from 'zod'
import { type CoalesceOptions, event, PermanentError, reactor, task } from '../../src/index.ts'
import { timeoutMs } from '../projections/fixtures.ts'
import { until } from '../support/until.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()
const Changed = event('changed').v(1, z.object({ key: z.string(), n: z.int() }))
const payload = z.object({ key: z.string(), n: z.int() })
const index = task('index', { payload, run: async () => {} })

function indexer(
  name: string,
  make: typeof index,
  runAt: CoalesceOptions['runAt'] = 'first',
  delayMs = 0,
) {
  return reactor(name, {
    events: [Changed],
    on: {
      changed: ({ data }) => make(data, { coalesce: { key: data.key, runAt }, delayMs }),
    },
  })
}

async function change(...changes: (readonly [string, number])[]): Promise<void> {
  await jobs.store.append(
    'changes',
    changes.map(([key, n]) => Changed({ key, n })),
  )
  await jobs.sequence()
}

const waiting = async () => (await jobs.jobs()).map(({ payload: { key, n } }) => `${key} ${n}`)

test('many events make one job, with what the newest of them says', async () => {
  const definition = indexer('coalescing', index)
  await using _reacting = jobs.react(definition)
  await jobs.untilReacted(definition)
  await change(['a', 1], ['b', 1], ['a', 2])
  await jobs.untilReacted(definition)
  expect((await waiting()).toSorted()).toEqual(['a 2', 'b 1'])
  await change(['b', 2], ['b', 3])
  await jobs.untilReacted(definition)
  expect((await waiting()).toSorted()).toEqual(['a 2', 'b 3'])
})

test.for(['first', 'last'] as const)('such a job has the time of the %s', async (runAt) => {
  const definition = indexer(`time-of-${runAt}`, index, runAt, 3_600_000)
  await using _reacting = jobs.react(definition)
  await jobs.untilReacted(definition)
  await change(['a', 1])
  await jobs.untilReacted(definition)
  const [before] = await jobs.jobs()
  await change(['a', 2], ['a', 3])
  await jobs.untilReacted(definition)
  const [after] = await jobs.jobs()
  expect(after?.payload).toEqual({ key: 'a', n: 3 })
  const { rows } = await jobs.pool.query(
    "select recorded_at from tidemark.events where type = 'changed' order by insert_id desc limit 1",
  )
  const dueOfLast = rows[0].recorded_at.getTime() + 3_600_000
  expect(after?.runAt.getTime()).toBe(runAt === 'first' ? before?.runAt.getTime() : dueOfLast)
  expect(before?.runAt.getTime()).toBeLessThan(dueOfLast)
})

test('a job that runs is followed by another, and is done when it fails', async () => {
  const seen: number[] = []
  const going = Promise.withResolvers<void>()
  const slow = task('index-slowly', {
    payload,
    run: async ({ n }) => {
      seen.push(n)
      if (n > 1) return
      await going.promise
      throw new Error('too late')
    },
  })
  const definition = indexer('running', slow)
  await using _reacting = jobs.react(definition)
  await jobs.untilReacted(definition)
  await using _working = jobs.work([slow])
  await change(['a', 1])
  await until('the first to run', () => seen.length === 1, { timeoutMs })
  await change(['a', 2])
  await jobs.untilReacted(definition)
  await until('the second to run', () => seen.length === 2, { timeoutMs })
  going.resolve()
  await until('the queue to be empty', async (saw) => {
    const left = await jobs.jobs()
    saw(left)
    return left.length === 0
  })
  expect(seen).toEqual([1, 2])
})

test('a dead job gives way to a newer one', async () => {
  const seen: number[] = []
  const picky = task('index-or-die', {
    payload,
    run: async ({ n }) => {
      if (n === 1) throw new PermanentError('no')
      seen.push(n)
    },
  })
  const definition = indexer('dying', picky)
  await using _reacting = jobs.react(definition)
  await jobs.untilReacted(definition)
  await using _working = jobs.work([picky])
  await change(['a', 1])
  await until('it to be dead', async () => (await jobs.store.parked.jobs()).length === 1, {
    timeoutMs,
  })
  await change(['a', 2])
  await until('the newer one to run', () => seen.length === 1, { timeoutMs })
  expect(await jobs.store.parked.jobs()).toEqual([])
})

test('no change is lost while workers take jobs', async () => {
  const last = new Map<string, number>()
  const note = task('note', {
    payload,
    run: async ({ key, n }) => {
      last.set(key, Math.max(n, last.get(key) ?? 0))
    },
  })
  const definition = indexer('racing', note)
  await using _reacting = jobs.react(definition, 3)
  await jobs.untilReacted(definition)
  await using _working = jobs.work([note], { concurrency: 4 })
  for (let n = 1; n <= 60; n += 1) await change(['a', n], ['b', n])
  await jobs.untilReacted(definition)
  await until('the queue to be empty', async () => (await jobs.jobs()).length === 0, { timeoutMs })
  expect(Object.fromEntries(last)).toEqual({ a: 60, b: 60 })
})
