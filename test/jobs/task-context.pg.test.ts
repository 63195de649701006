import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  decider,
  event,
  type Job,
  PermanentError,
  reactor,
  type TaskContext,
  task,
} from '../../src/index.ts'
import { timeoutMs } from '../projections/fixtures.ts'
import { until } from '../support/until.ts'
import { useJobs } from './use-jobs.ts'

const jobs = useJobs()
const Asked = event('asked').v(1, z.object({ n: z.int() }))
const Answered = event('answered').v(1, z.object({ n: z.int() }))
const payload = z.object({ n: z.int() })

const Answer = decider('answer', {
  events: [Answered],
  initial: () => ({ n: 0 }),
  evolve: { answered: (_, { data }) => ({ n: data.n }) },
  commands: { give: (_, { n }: { n: number }) => Answered({ n }) },
})

let reactors = 0

/** Asks once, by an event with a correlation of its own, and follows with a reactor. */
async function ask(make: (asked: { n: number }) => Job | readonly Job[], n = 1) {
  reactors += 1
  const definition = reactor(`asks-${reactors}`, {
    events: [Asked],
    on: { asked: ({ data }) => make(data) },
  })
  const reacting = jobs.react(definition)
  await jobs.untilReacted(definition)
  const asked = Asked({ n }, { metadata: { correlationId: 'request-7' } })
  await jobs.store.append(`asking-${reactors}`, asked)
  await jobs.sequence()
  await jobs.untilReacted(definition)
  await reacting.stop()
  const { rows } = await jobs.pool.query(
    "select event_id as id, stream_id from tidemark.events where type = 'asked' order by insert_id desc limit 1",
  )
  return { id: rows[0].id as string, streamId: rows[0].stream_id as string, name: definition.name }
}

const untilEmpty = () =>
  until(
    'the queue to be empty',
    async (saw) => {
      const left = await jobs.jobs()
      saw(left)
      return left.length === 0
    },
    { timeoutMs },
  )

test('a handler knows its job, and what it appends names the event as its cause', async () => {
  const seen: TaskContext['job'][] = []
  const answer = task('answer', {
    payload,
    run: async ({ n }, { store, job, correlationId, causationId }) => {
      seen.push(job)
      expect({ correlationId, causationId }).toEqual({
        correlationId: 'request-7',
        causationId: job.event?.id,
      })
      await store.append(`answer-${n}-a`, Answered({ n }))
      await store.appendMany([{ streamId: `answer-${n}-b`, events: [Answered({ n })] }])
      await store.execute(Answer, `${n}-c`, 'give', { n })
      await store.append(`answer-${n}-d`, Answered({ n }), { metadata: { correlationId: 'own' } })
      await store.append(`answer-${n}-e`, Answered({ n }), { causedBy: { id: 'somebody' } })
    },
  })
  const asked = await ask((data) => [answer(data)], 5)
  await using _working = jobs.work([answer])
  await untilEmpty()
  const { rows } = await jobs.pool.query(
    "select stream_id, metadata from tidemark.events where stream_id like 'answer-5-%' order by stream_id",
  )
  const caused = { correlationId: 'request-7', causationId: asked.id }
  expect(rows).toEqual([
    { stream_id: 'answer-5-a', metadata: caused },
    { stream_id: 'answer-5-b', metadata: caused },
    { stream_id: 'answer-5-c', metadata: caused },
    { stream_id: 'answer-5-d', metadata: { ...caused, correlationId: 'own' } },
    { stream_id: 'answer-5-e', metadata: { correlationId: 'somebody', causationId: 'somebody' } },
  ])
  expect(seen).toEqual([
    {
      id: expect.stringMatching(/^\d+$/),
      task: 'answer',
      attempt: 1,
      maxAttempts: 25,
      isLastAttempt: false,
      idempotencyKey: `${asked.name}:${asked.id}:0`,
      event: {
        id: asked.id,
        type: 'asked',
        streamId: asked.streamId,
        position: expect.any(BigInt),
      },
      reactor: asked.name,
      cron: null,
      createdAt: expect.any(Date),
      runAt: expect.any(Date),
    },
  ])
})

test('an effect by once is done once however often its job runs', async () => {
  await jobs.pool.query('create table charges (n integer)')
  const results: unknown[] = []
  const charge = task('charge', {
    payload,
    run: async ({ n }, { once, job }) => {
      const result = await once('charge', async (tx) => {
        await tx.query('insert into charges values ($1)', [n])
        return { attempt: job.attempt }
      })
      results.push(result)
      if (job.attempt < 3) throw new Error('after the charge')
    },
  })
  await ask((data) => [charge(data), charge(data)])
  await using _working = jobs.work([charge])
  await jobs.hurryUntil('both jobs to be done', async () => (await jobs.jobs()).length === 0)
  expect(results).toEqual(Array.from({ length: 6 }, () => ({ attempt: 1 })))
  expect((await jobs.pool.query('select n from charges')).rows).toEqual([{ n: 1 }, { n: 1 }])
})

test('a job that others enqueue runs like any, with a key of its own', async () => {
  const seen: unknown[] = []
  const plain = task('plain', {
    payload: z.strictObject({ n: z.int() }),
    run: async (given, { job, correlationId }) => {
      seen.push({ given, correlationId, event: job.event, key: job.idempotencyKey })
    },
  })
  await jobs.pool.query(`select graphile_worker.add_job('plain', '{"n": 3}')`)
  await jobs.pool.query(
    `select graphile_worker.add_job('plain', '{"n": 4, "_cron": {"ts": "2026-11-01T00:00:00Z"}}')`,
  )
  await using _working = jobs.work([plain], { concurrency: 1 })
  await untilEmpty()
  expect(seen).toEqual([
    {
      given: { n: 3 },
      correlationId: null,
      event: null,
      key: expect.stringMatching(/^job:\d+:0:/),
    },
    {
      given: { n: 4 },
      correlationId: null,
      event: null,
      key: expect.stringMatching(/^job:\d+:0:/),
    },
  ])
})

test('a permanent error makes a dead letter at once, with its stack and its causes', async () => {
  const refuse = task('refuse', {
    payload,
    run: async () => {
      throw new PermanentError('the card is stolen', { cause: new Error('declined: 41') })
    },
  })
  const asked = await ask((data) => refuse(data), 9)
  await using _working = jobs.work([refuse])
  const [dead] = await until(
    'it to be dead',
    async () => {
      const all = await jobs.store.parked.jobs()
      return all.length > 0 ? all : undefined
    },
    { timeoutMs },
  )
  expect(dead).toMatchObject({
    kind: 'job',
    task: 'refuse',
    payload: { n: 9 },
    reactor: asked.name,
    event: { id: asked.id, streamId: asked.streamId, type: 'asked' },
    correlationId: 'request-7',
    lane: null,
    waiting: 0,
    error: expect.stringMatching(
      /^PermanentError: the card is stolen\n +at .*\n[\s\S]*caused by: Error: declined: 41\n +at /,
    ),
  })
  expect((await jobs.store.status()).deadJobs).toBe(1)
})

test('a payload that the schema refuses by now is a dead letter at once, and can be retried', async () => {
  const old = task('shape', { payload, run: async () => {} })
  const seen: unknown[] = []
  const strict = task('shape', { payload: z.object({ n: z.int().max(1) }), run: async () => {} })
  const mended = task('shape', { payload, run: async ({ n }) => void seen.push(n) })
  await ask((data) => old(data), 2)
  {
    await using _working = jobs.work([strict])
    await until('it to be dead', async () => (await jobs.store.parked.jobs()).length === 1, {
      timeoutMs,
    })
  }
  await using _again = jobs.work([mended])
  await jobs.store.parked.retryJobs({ task: 'shape' })
  await untilEmpty()
  expect(seen).toEqual([2])
})

test('an attempt that takes too long is told to stop, and has failed', async () => {
  const reasons: unknown[] = []
  const slow = task('slow', {
    payload,
    timeoutMs: 50,
    run: async (_payload, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push(signal.reason)
      signal.throwIfAborted()
    },
  })
  await ask((data) => slow(data, { maxAttempts: 1 }))
  await using _working = jobs.work([slow])
  const [dead] = await until(
    'it to be dead',
    async () => {
      const all = await jobs.store.parked.jobs()
      return all.length > 0 ? all : undefined
    },
    { timeoutMs },
  )
  expect(dead?.error).toMatch(/^TidemarkError: the job has not ended in 50 ms/)
  expect(reasons).toEqual([expect.objectContaining({ code: 'JOB_TIMED_OUT' })])
})

test('a worker that stops aborts the signal, which costs the job no attempt', async () => {
  const began = Promise.withResolvers<void>()
  const long = task('long', {
    payload,
    run: async (_payload, { signal }) => {
      began.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    },
  })
  await ask((data) => long(data, { maxAttempts: 1 }))
  const working = jobs.work([long])
  await began.promise
  await working.stop()
  expect(await jobs.jobs()).toMatchObject([{ attempts: 0, locked: false }])
  expect(await jobs.store.parked.jobs()).toEqual([])
})
