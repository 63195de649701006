import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, reactor, task } from '../../src/index.ts'
import { timeoutMs } from '../projections/fixtures.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()
const Moved = event('moved').v(1, z.object({ n: z.int() }))
const payload = z.object({ stream: z.string(), n: z.int() })

/** A reactor whose jobs keep the order of their streams. */
function movesOf(name: string, move: ReturnType<typeof task<typeof payload>>, maxAttempts = 25) {
  return reactor(name, {
    events: [Moved],
    on: {
      moved: ({ streamId, data: { n } }) =>
        move({ stream: streamId, n }, { order: 'stream', maxAttempts }),
    },
  })
}

async function append(stream: string, ...numbers: number[]): Promise<void> {
  await jobs.store.append(
    stream,
    numbers.map((n) => Moved({ n })),
  )
  await jobs.sequence()
}

test('jobs of a stream run in its order, whatever fails, in how many workers', async () => {
  const seed = Number(process.env.TIDEMARK_TEST_SEED ?? Date.now() % 1e9)
  console.log(`seed ${seed} (TIDEMARK_TEST_SEED=${seed} runs it again)`)
  const random = seededRandom(seed)
  const [streams, each] = [6, 12]
  const seen: string[] = []
  const running = new Set<string>()
  const together: string[] = []
  const move = task('move', {
    payload,
    run: async ({ stream, n }) => {
      if (running.has(stream)) together.push(`${stream} ${n}`)
      running.add(stream)
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 5)))
      running.delete(stream)
      seen.push(`${stream} ${n}`)
      if (random.chance(0.3)) throw new Error('fails now and then')
    },
  })
  const moves = movesOf('moves', move)
  await using _reacting = jobs.react(moves, 7)
  await jobs.untilReacted(moves)
  await using _first = jobs.work([move], { concurrency: 4 })
  await using _second = jobs.work([move], { concurrency: 4 })
  const names = Array.from({ length: streams }, (_, i) => `moving-${i}`)
  for (let n = 1; n <= each; n += 3) {
    for (const stream of names) await append(stream, n, n + 1, n + 2)
  }
  await jobs.untilReacted(moves)
  await jobs.hurryUntil('all jobs to be done', async () => (await jobs.jobs()).length === 0)
  const { rows } = await jobs.pool.query(
    'select (select count(*) from tidemark.ordered_jobs)::int as left, (select count(*) from tidemark.job_lanes)::int as lanes',
  )
  expect(rows).toEqual([{ left: 0, lanes: 0 }])
  expect(together).toEqual([])
  for (const stream of names) {
    const order = seen.flatMap((line) =>
      line.startsWith(`${stream} `) ? [line.split(' ')[1]] : [],
    )
    const withoutRetries = order.filter((n, i) => n !== order[i - 1])
    expect(withoutRetries).toEqual(Array.from({ length: each }, (_, i) => `${i + 1}`))
  }
}, 90_000)

test('a dead job holds its stream and no other until it is retried or given up', async () => {
  const seen: string[] = []
  let isMended = false
  const move = task('hold', {
    payload,
    run: async ({ stream, n }) => {
      if (n % 10 === 2 && !isMended) throw new Error(`cannot move ${n}`)
      seen.push(`${stream} ${n}`)
    },
  })
  const moves = movesOf('holds', move, 1)
  await using _reacting = jobs.react(moves)
  await jobs.untilReacted(moves)
  await using _working = jobs.work([move])
  await append('held-a', 1, 2, 3)
  await append('held-b', 11, 12, 13)
  await append('held-c', 21)
  await until(
    'two jobs to be dead',
    async (saw) => {
      const dead = await jobs.store.parked.jobs()
      saw(dead)
      return dead.length === 2 && seen.length === 3
    },
    { timeoutMs },
  )
  expect(seen.toSorted()).toEqual(['held-a 1', 'held-b 11', 'held-c 21'])
  const dead = await jobs.store.parked.jobs()
  const a = dead.find(({ lane }) => lane === 'holds:stream:held-a')
  const b = dead.find(({ lane }) => lane === 'holds:stream:held-b')
  expect(a).toMatchObject({ task: 'hold', payload: { n: 2 }, waiting: 1 })
  isMended = true
  expect(await jobs.store.parked.retryJobs({ id: a?.id ?? '' })).toEqual([a?.id])
  expect(await jobs.store.parked.discardJobs({ id: b?.id ?? '' })).toEqual([b?.id])
  await until('the rest to run', (saw) => saw(seen) ?? seen.length === 6, { timeoutMs })
  expect(seen.filter((line) => line.startsWith('held-a'))).toEqual([
    'held-a 1',
    'held-a 2',
    'held-a 3',
  ])
  expect(seen.filter((line) => line.startsWith('held-b'))).toEqual(['held-b 11', 'held-b 13'])
})

test('a job that was done and is delivered again does nothing', async () => {
  const seen: number[] = []
  const move = task('again', { payload, run: async ({ n }) => void seen.push(n) })
  const moves = movesOf('agains', move)
  await using _reacting = jobs.react(moves)
  await jobs.untilReacted(moves)
  await append('again-1', 1, 2)
  await jobs.untilReacted(moves)
  // As if the process had died between its own commit and graphile-worker's.
  const { rows } = await jobs.pool.query(
    'select lane, key from tidemark.ordered_jobs order by sequence limit 1',
  )
  await jobs.pool.query('select tidemark.end_ordered_job($1, $2)', [rows[0].lane, rows[0].key])
  await using _working = jobs.work([move])
  await until('the queue to be empty', async () => (await jobs.jobs()).length === 0, { timeoutMs })
  expect(seen).toEqual([])
})

test('jobs of a key of their own keep its order across streams', async () => {
  const seen: number[] = []
  const move = task('by-key', { payload, run: async ({ n }) => void seen.push(n) })
  const moves = reactor('by-keys', {
    events: [Moved],
    on: {
      moved: ({ streamId, data: { n } }) =>
        move({ stream: streamId, n }, { order: { key: 'all' } }),
    },
  })
  await using _reacting = jobs.react(moves)
  await jobs.untilReacted(moves)
  for (const n of [1, 2, 3, 4, 5, 6]) await append(`key-${n % 3}`, n)
  await jobs.untilReacted(moves)
  await using _working = jobs.work([move], { concurrency: 4 })
  await until('all to run', (saw) => saw(seen) ?? seen.length === 6, { timeoutMs })
  expect(seen).toEqual([1, 2, 3, 4, 5, 6])
})
