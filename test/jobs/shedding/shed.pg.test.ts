import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, type Reactor, reactor, task } from '../../../src/index.ts'
import { until } from '../../support/until.ts'
import { useJobs } from '../use-jobs.ts'

const jobs = useJobs()
const Seen = event('seen').v(1, z.object({ n: z.int() }))
const Paid = event('paid').v(1, z.object({ n: z.int() }))
const print = task('print', { payload: z.object({ n: z.int() }), run: async () => {} })

interface Defects {
  /** Whether the handler of an event throws. */
  fails: (n: number) => boolean
}

function printer(name: string, from: bigint, defects: Defects = { fails: () => false }): Reactor {
  const printed = ({ data: { n } }: { data: { n: number } }) => {
    if (defects.fails(n)) throw new Error(`out of paper at ${n}`)
    return print({ n })
  }
  return reactor(name, {
    events: [Seen, Paid],
    from,
    onError: 'park',
    on: { seen: printed, paid: printed },
    shed: { types: ['seen'], highWater: 100, lowWater: 40 },
  })
}

const head = async () => (await jobs.store.status()).position
const positionOf = async ({ name }: Reactor) => {
  const { subscriptions } = await jobs.store.status()
  return subscriptions.find((one) => one.name === name)?.position ?? 0n
}
const enqueued = async () => (await jobs.jobs()).map(({ payload }) => payload.n as number)

/** Appends `count` events, every fifth of which is one that nobody may shed. @returns where they begin. */
async function append(count: number, stream = 'shop'): Promise<bigint> {
  await jobs.sequence()
  const from = await head()
  const events = numbers(count).map((n) => (isPaid(n) ? Paid({ n }) : Seen({ n })))
  await jobs.store.append(stream, events)
  await jobs.sequence()
  return from
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const isPaid = (n: number) => n % 5 === 0

test('what it may shed is passed over while it is far behind, recorded, and replayed once', async () => {
  const from = await append(230)
  const printing = printer('behind', from)
  {
    // Chunks of 20: it begins 230 behind, and ceases when it has 30 before it.
    await using _reacting = jobs.react(printing, 20)
    await jobs.untilReacted(printing)
  }
  const shed = numbers(200).filter((n) => !isPaid(n))
  expect((await enqueued()).toSorted(ascending)).toEqual(
    numbers(230).filter((n) => !shed.includes(n)),
  )
  expect(await jobs.store.shed.list('behind')).toEqual([
    {
      reactor: 'behind',
      events: shed.length,
      first: from + 2n,
      last: from + 200n,
      since: expect.any(Date),
      until: expect.any(Date),
    },
  ])
  const { subscriptions } = await jobs.store.status()
  expect(subscriptions.find(({ name }) => name === 'behind')).toMatchObject({ shed: 160, lag: 0n })

  const before = (await enqueued()).length
  expect(await jobs.store.shed.replay(printing)).toBe(160)
  expect((await enqueued()).slice(before)).toEqual(shed)
  expect(await jobs.store.shed.list()).toEqual([])
  await expect(jobs.store.shed.replay(printing)).rejects.toMatchObject({
    code: 'SHED_EVENTS_UNKNOWN',
  })
})

test('nothing is passed over that is near the head', async () => {
  const from = await append(100)
  const printing = printer('near', from)
  await using _reacting = jobs.react(printing, 20)
  await jobs.untilReacted(printing)
  expect(await enqueued()).toEqual(numbers(100))
  expect(await jobs.store.shed.list('near')).toEqual([])
})

test('several processes that replay at once replay each event once, in order', async () => {
  const from = await append(300)
  const printing = printer('together', from)
  {
    await using _reacting = jobs.react(printing, 10)
    await jobs.untilReacted(printing)
  }
  const before = (await enqueued()).length
  const replays = numbers(3).map(() =>
    jobs.store.shed.replay(printing).catch((error: { code: string }) => {
      // One that comes too late finds none.
      if (error.code !== 'SHED_EVENTS_UNKNOWN') throw error
      return 0
    }),
  )
  const replayed = (await Promise.all(replays)).reduce((a, b) => a + b, 0)
  const later = (await enqueued()).slice(before)
  expect(later).toHaveLength(replayed)
  expect(later).toEqual(numbers(260).filter((n) => !isPaid(n)))
})

test('a replay stops in front of the chunk whose handler throws, and goes on once it is mended', async () => {
  const from = await append(200)
  const defects: Defects = { fails: () => false }
  const printing = printer('failing', from, defects)
  {
    await using _reacting = jobs.react(printing, 20)
    await jobs.untilReacted(printing)
  }
  const before = (await enqueued()).length
  defects.fails = (n) => n === 31
  await expect(jobs.store.shed.replay(printing)).rejects.toMatchObject({
    code: 'HANDLER_FAILED',
    details: { type: 'seen', position: from + 32n },
  })
  const first = numbers(20).filter((n) => !isPaid(n))
  expect((await enqueued()).slice(before)).toEqual(first)
  defects.fails = () => false
  await jobs.store.shed.replay(printing)
  const all = numbers(160).filter((n) => !isPaid(n))
  expect((await enqueued()).slice(before)).toEqual(all)
})

test('what was shed can be given up, and stays in the log', async () => {
  const from = await append(200)
  const printing = printer('given-up', from)
  {
    await using _reacting = jobs.react(printing, 20)
    await jobs.untilReacted(printing)
  }
  const count = numbers(160).filter((n) => !isPaid(n)).length
  expect(await jobs.store.shed.discard('given-up')).toBe(count)
  expect(await jobs.store.shed.list('given-up')).toEqual([])
  await expect(jobs.store.shed.discard('given-up')).rejects.toMatchObject({
    code: 'SHED_EVENTS_UNKNOWN',
  })
})

test('each event is enqueued, shed or parked, and in the end enqueued once, whatever fails', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 101, max: 400 }),
      fc.integer({ min: 3, max: 120 }),
      fc.uniqueArray(fc.nat(399), { maxLength: 5 }),
      fc.nat(3),
      async (count, batchSize, broken, stops) => {
        run += 1
        await jobs.sequence()
        const from = await head()
        for (const n of numbers(count)) {
          const stream = `${run}-${n % 3}`
          // One after the other, so that the order of the log is that of the numbers.
          await jobs.store.append(stream, isPaid(n) ? Paid({ n }) : Seen({ n }))
        }
        await jobs.sequence()
        const defects: Defects = { fails: (n) => broken.includes(n) }
        const printing = printer(`any-${run}`, from, defects)
        for (const _stop of numbers(stops)) {
          const before = await positionOf(printing)
          await using _reacting = jobs.react(printing, batchSize)
          const hasMoved = async () => (await positionOf(printing)) > before
          if (before < from + BigInt(count)) await until('it to move', hasMoved)
        }
        {
          await using _reacting = jobs.react(printing, batchSize)
          await jobs.untilReacted(printing)
        }
        const parked = await jobs.store.parked.events({ name: printing.name })
        const [shed] = await jobs.store.shed.list(printing.name)
        const now = (await enqueued()).length
        expect(now + parked.length + (shed?.events ?? 0)).toBe(count)
        defects.fails = () => false
        if (parked.length > 0) await jobs.store.parked.retry(printing)
        if (shed !== undefined) await jobs.store.shed.replay(printing)
        expect((await enqueued()).toSorted(ascending)).toEqual(numbers(count))
        await jobs.pool.query('delete from graphile_worker._private_jobs')
      },
    ),
    { numRuns: 6 },
  )
})

function ascending(a: number, b: number): number {
  return a - b
}
