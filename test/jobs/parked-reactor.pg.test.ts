import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, reactor, task } from '../../src/index.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()
const Placed = event('placed').v(1, z.object({ n: z.int() }))
const print = task('print', { payload: z.object({ n: z.int() }), run: async () => {} })

async function place(stream: string, ...numbers: number[]): Promise<void> {
  await jobs.store.append(
    stream,
    numbers.map((n) => Placed({ n })),
  )
  await jobs.sequence()
}

const enqueued = async () => (await jobs.jobs()).map(({ payload }) => payload.n)

test('parks the event whose handler throws with those of its stream, and retries them in order', async () => {
  let isMended = false
  const printing = reactor('printing', {
    events: [Placed],
    onError: 'park',
    on: {
      placed: ({ data: { n } }) => {
        if (n === 2 && !isMended) throw new Error('out of paper')
        return print({ n })
      },
    },
  })
  await using _reacting = jobs.react(printing)
  await jobs.untilReacted(printing)
  await place('bad', 1, 2, 3)
  await place('good', 11, 12)
  await place('bad', 4)
  await jobs.untilReacted(printing)
  expect((await enqueued()).toSorted()).toEqual([1, 11, 12])
  expect(await jobs.store.parked.list()).toMatchObject([
    {
      kind: 'reactor',
      name: 'printing',
      lane: 'jobs',
      key: 'bad',
      events: 3,
      first: { error: { message: 'out of paper' } },
    },
  ])
  const { subscriptions } = await jobs.store.status()
  expect(subscriptions.find(({ name }) => name === 'printing')).toMatchObject({ parked: 3 })

  expect(await jobs.store.parked.retry(printing)).toMatchObject({
    applied: 0,
    failed: [{ key: 'bad' }],
  })
  isMended = true
  expect(await jobs.store.parked.retry(printing)).toMatchObject({ applied: 3, keys: 1, failed: [] })
  expect((await enqueued()).slice(3)).toEqual([2, 3, 4])
  await place('bad', 5)
  await jobs.untilReacted(printing)
  expect((await enqueued()).slice(6)).toEqual([5])
})

test('gives up parked events of a reactor', async () => {
  const failing = reactor('failing', {
    events: [Placed],
    onError: 'park',
    on: {
      placed: ({ data: { n } }) => {
        if (n === 1) throw new Error('never')
        return print({ n })
      },
    },
  })
  await using _reacting = jobs.react(failing)
  await jobs.untilReacted(failing)
  await place('given-up', 1)
  await jobs.untilReacted(failing)
  await jobs.store.parked.discard(
    { kind: 'reactor', name: 'failing' },
    { lane: 'jobs', key: 'given-up' },
  )
  await place('given-up', 2)
  await jobs.untilReacted(failing)
  expect(await enqueued()).toEqual([2])
})

test('a reactor that stands still holds back no other', async () => {
  const make = (name: string, breaks: boolean) =>
    reactor(name, {
      events: [Placed],
      on: {
        placed: ({ data: { n } }) => {
          if (breaks) throw new Error('broken')
          return print({ n })
        },
      },
    })
  const [broken, sound] = [make('broken', true), make('sound', false)]
  await using _first = jobs.react(broken)
  await using _second = jobs.react(sound)
  await jobs.untilReacted(broken)
  await jobs.untilReacted(sound)
  await place('both', 1, 2)
  await jobs.untilReacted(sound)
  expect(await enqueued()).toEqual([1, 2])
})
