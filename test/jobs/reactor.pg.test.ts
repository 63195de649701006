import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createPool } from '../../src/db/connect.ts'
import {
  type AnyTask,
  createStore,
  event,
  type Job,
  type Reactor,
  type ReactorOptions,
  reactor,
  silentLogger,
  task,
} from '../../src/index.ts'
import { defaultJobSchema, installJobs } from '../../src/jobs/run-jobs.ts'
import { counts } from '../projections/counts.ts'
import { commit, follow, headPosition, timeoutMs } from '../projections/fixtures.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { runReactor, runTasks } from './run-jobs.ts'

const database = useDatabase()
const Placed = event('placed').v(1, z.object({ order: z.int() }))
const Shipped = event('shipped').v(1, z.object({ order: z.int() }))

const invoice = task('invoice', {
  payload: z.object({ order: z.int().max(1_000), note: z.string().optional() }),
  run: async () => {},
})

let pool: pg.Pool
let reactors = 0

beforeAll(async () => {
  pool = createPool({ connectionString: database.connectionString, max: 6 })
  await installJobs(pool, defaultJobSchema, silentLogger)
})

beforeEach(async () => {
  await pool.query(`delete from ${defaultJobSchema}._private_jobs`)
})

afterAll(() => pool.end())

function place(...orders: number[]): Promise<void> {
  return commit(
    pool,
    orders.map((order) => Placed({ order })),
  )
}

function newName(): string {
  reactors += 1
  return `reactor-${reactors}`
}

type OnPlaced = ReactorOptions<typeof Placed>['on']['placed']

/** Reads the log from where it ends now, so that tests do not see each other's events. */
async function onPlaced(handler: OnPlaced, name = newName()): Promise<Reactor> {
  const from = await headPosition(pool)
  return reactor(name, { events: [Placed], from, on: { placed: handler } })
}

const run = (definition: Reactor, batchSize = 100) =>
  runReactor({ pool, connectionString: database.connectionString }, definition, batchSize)

const runTasksHere = (...tasks: AnyTask[]) =>
  runTasks({ pool, connectionString: database.connectionString }, tasks)

interface State {
  readonly position: bigint
  readonly state: string
  readonly error: { code: string; message: string; position: string } | null
}

async function stateOf({ name }: Reactor): Promise<State | undefined> {
  const { rows } = await pool.query(
    "select position::text, state, error from tidemark.subscriptions where kind = 'reactor' and name = $1",
    [name],
  )
  return rows[0] && { ...rows[0], position: BigInt(rows[0].position) }
}

async function untilReacted(definition: Reactor): Promise<void> {
  const head = await headPosition(pool)
  await until(
    `reactor "${definition.name}" to reach position ${head}`,
    async (saw) => {
      const state = await stateOf(definition)
      saw(state)
      return (state?.position ?? -1n) >= head
    },
    { timeoutMs },
  )
}

async function untilFailed(definition: Reactor): Promise<State> {
  return until(
    `reactor "${definition.name}" to fail`,
    async (saw) => {
      const state = await stateOf(definition)
      saw(state)
      return state?.state === 'failed' ? state : undefined
    },
    { timeoutMs },
  )
}

/** Orders of the jobs, in the order in which they were enqueued. */
async function ordersOfJobs(): Promise<number[]> {
  const { rows } = await pool.query(
    `select (payload ->> 'order')::integer as n from ${defaultJobSchema}._private_jobs order by id`,
  )
  return rows.map(({ n }) => n)
}

describe('a reactor', () => {
  test('enqueues a job for each event once, whatever its batches and restarts', async () => {
    const definition = await onPlaced(({ data }) => invoice(data))
    for (const batchSize of [1, 2, 100]) {
      await using running = run(definition, batchSize)
      await place(batchSize, batchSize + 1, batchSize + 2)
      await untilReacted(definition)
      await running.stop()
    }
    expect(await ordersOfJobs()).toEqual([1, 2, 3, 2, 3, 4, 100, 101, 102])
    expect(await stateOf(definition)).toMatchObject({ state: 'active', error: null })
  })

  test('enqueues nothing and stays where it was when its transaction cannot commit', async () => {
    const definition = await onPlaced(({ data }) => invoice(data))
    const start = await headPosition(pool)
    await pool.query(/* sql */ `
      create function public.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused at the end'; end $$;
      create constraint trigger refuse after update of position on tidemark.subscriptions
        deferrable initially deferred
        for each row when (new.kind = 'reactor' and new.position > old.position)
        execute function public.refuse()`)
    await place(1, 2)
    const failing = run(definition)
    const failed = await untilFailed(definition).finally(() =>
      pool.query('drop trigger refuse on tidemark.subscriptions; drop function public.refuse'),
    )
    await failing.stop()
    expect(failed).toMatchObject({
      position: start,
      error: {
        code: 'HANDLER_FAILED',
        message: expect.stringContaining('refused at the end'),
      },
    })
    expect(await ordersOfJobs()).toEqual([])

    await using _again = run(definition)
    await untilReacted(definition)
    expect(await ordersOfJobs()).toEqual([1, 2])
  })

  test('enqueues several jobs or none for one event', async () => {
    const several = (order: number): readonly Job[] | null =>
      order === 2 ? null : Array.from({ length: order }, () => invoice({ order }))
    const definition = await onPlaced(({ data }) => several(data.order))
    await place(3, 2, 0, 1)
    await using _running = run(definition)
    await untilReacted(definition)
    expect((await ordersOfJobs()).toSorted()).toEqual([1, 3, 3, 3])
  })

  test('hears of the events that it names and of no others', async () => {
    const from = await headPosition(pool)
    const definition = reactor(newName(), {
      events: [Shipped],
      from,
      on: { shipped: ({ data }) => invoice(data) },
    })
    await commit(pool, [Placed({ order: 1 }), Shipped({ order: 2 }), Placed({ order: 3 })])
    await using _running = run(definition)
    await untilReacted(definition)
    expect(await ordersOfJobs()).toEqual([2])
  })

  test('hands over when, how often, in which queue and how urgently a job runs', async () => {
    const runAt = new Date('2035-01-02T03:04:05.678Z')
    const definition = await onPlaced(({ data }) =>
      data.order === 1
        ? invoice(data, { runAt, maxAttempts: 3, queueName: 'printer', priority: -7 })
        : invoice(data),
    )
    await place(1, 2)
    await using _running = run(definition)
    await untilReacted(definition)
    const { rows } = await pool.query(/* sql */ `
      select task_identifier, run_at, max_attempts, queue_name, priority
      from ${defaultJobSchema}.jobs
      order by priority`)
    expect(rows).toEqual([
      {
        task_identifier: 'invoice',
        run_at: runAt,
        max_attempts: 3,
        queue_name: 'printer',
        priority: -7,
      },
      {
        task_identifier: 'invoice',
        run_at: expect.any(Date),
        max_attempts: 25,
        queue_name: null,
        priority: 0,
      },
    ])
    expect(rows[1].run_at.getTime()).toBeLessThanOrEqual(Date.now() + 1_000)
  })

  test('stands still at the event whose payload the task refuses', async () => {
    const definition = await onPlaced(({ data }) => invoice(data))
    const start = await headPosition(pool)
    await place(1, 2, 1_001)
    await using _running = run(definition)
    const failed = await untilFailed(definition)
    expect(failed).toMatchObject({
      position: start + 2n,
      error: { code: 'HANDLER_FAILED', position: `${start + 3n}` },
    })
    expect(failed.error?.message).toMatch(
      new RegExp(
        `^reactor "${definition.name}" failed on event "placed" of stream "[^"]+" at position ${start + 3n}: `,
      ),
    )
    expect(await ordersOfJobs()).toEqual([1, 2])
  })
})

describe('a new reactor', () => {
  test.for([
    ['start', 'every event of the log', (before: number) => [...Array(before).keys()].map(() => 1)],
    ['now', 'the events after its first start', () => []],
  ] as const)('from %s hears of %s', async ([from, , expectedBefore]) => {
    await place(1)
    const { rows } = await pool.query(
      "select count(*)::integer as n from tidemark.events where type = 'placed'",
    )
    const definition = reactor(newName(), {
      events: [Placed],
      from,
      on: { placed: () => invoice({ order: 1 }) },
    })
    const running = run(definition)
    await untilReacted(definition)
    expect(await ordersOfJobs()).toEqual(expectedBefore(rows[0].n))
    await running.stop()

    // Only the first start counts.
    await place(2)
    await using _again = run(definition)
    await untilReacted(definition)
    expect(await ordersOfJobs()).toEqual([...expectedBefore(rows[0].n), 1])
  })

  test('from a position hears of the events after it', async () => {
    await place(1, 2)
    const from = await headPosition(pool)
    await place(3, 4)
    const definition = reactor(newName(), {
      events: [Placed],
      from: from + 1n,
      on: { placed: ({ data }) => invoice(data) },
    })
    await using _running = run(definition)
    await untilReacted(definition)
    expect(await ordersOfJobs()).toEqual([4])
  })
})

describe('a handler that throws', () => {
  test('stops its reactor, with code, position and reason, and no other', async () => {
    const broken = await onPlaced(({ data }) => {
      if (data.order === 7) throw new Error('no such order')
      return invoice({ order: data.order, note: 'broken' })
    })
    const sound = await onPlaced(({ data }) => invoice({ order: data.order, note: 'sound' }))
    const start = await headPosition(pool)
    await using first = run(broken, 1)
    await using _second = run(sound, 1)
    await place(5, 6, 7, 8)
    const failed = await untilFailed(broken)
    await untilReacted(sound)
    const streamId = expect.stringMatching(/^commit-/)
    const reason = `of stream "commit-\\d+" at position ${start + 3n}: no such order$`
    expect(failed).toEqual({
      position: start + 2n,
      state: 'failed',
      error: {
        code: 'HANDLER_FAILED',
        message: expect.stringMatching(
          new RegExp(`^reactor "${broken.name}" failed on event "placed" ${reason}`),
        ),
        position: `${start + 3n}`,
        type: 'placed',
        streamId,
      },
    })
    await first.stop()
    const ofSound = ['5 sound', '6 sound', '7 sound', '8 sound']
    expect(await notesOfJobs()).toEqual(['5 broken', ...ofSound, '6 broken'].sort())

    const mended = await onPlaced(({ data }) => invoice(data), broken.name)
    await using _again = run(mended)
    await untilReacted(mended)
    expect((await ordersOfJobs()).toSorted()).toEqual([5, 5, 6, 6, 7, 7, 8, 8])
    expect(await stateOf(mended)).toMatchObject({ state: 'active', error: null })
  })

  test.for(['TypeError', 'RangeError', 'a text'])(
    'is tried again before that: %s',
    async (kind) => {
      let calls = 0
      const definition = await onPlaced(({ data }) => {
        calls += 1
        if (calls > 1) return invoice(data)
        if (kind === 'a text') throw 'a text'
        throw kind === 'TypeError' ? new TypeError('no') : new RangeError('no')
      })
      await using _running = run(definition)
      await place(1)
      await untilReacted(definition)
      expect(calls).toBe(2)
      expect(await ordersOfJobs()).toEqual([1])
    },
  )

  async function notesOfJobs(): Promise<string[]> {
    const { rows } = await pool.query(/* sql */ `
      select (payload ->> 'order') || ' ' || (payload ->> 'note') as line
      from ${defaultJobSchema}._private_jobs`)
    return rows.map(({ line }) => line).sort()
  }
})

test('a rebuild of projections never runs a reactor again', async () => {
  const definition = await onPlaced(({ data }) => invoice(data))
  await using _running = run(definition)
  await place(1, 2)
  await untilReacted(definition)
  await using first = await follow(database, counts('placed_counts', 1))
  await first.untilCaughtUp()
  const store = await createStore({ connectionString: database.connectionString })
  await store.rebuild(counts('placed_counts', 2)).finally(() => store.close())
  expect(await ordersOfJobs()).toEqual([1, 2])
  await place(3)
  await untilReacted(definition)
  expect(await ordersOfJobs()).toEqual([1, 2, 3])
})

describe('a task', () => {
  test('runs with the payload that its schema makes of the job', async () => {
    const seen: unknown[] = []
    const print = task('print', {
      payload: z.object({
        text: z.string(),
        at: z.iso.datetime(),
        copies: z.int().default(2),
        list: z.array(z.string().nullable()),
      }),
      run: async (payload, { job }) => {
        seen.push({ ...payload, attempts: job.attempt })
      },
    })
    const at = '2026-11-21T00:00:00.000Z'
    const nasty = `'"\\ %s $1 🦔 \n`
    const definition = await onPlaced(() => print({ text: nasty, at, list: [null, 'null', ''] }))
    await using _running = run(definition)
    await using _tasks = runTasksHere(print)
    await place(1)
    await until('the task to run', (saw) => saw(seen) ?? seen.length > 0, { timeoutMs })
    expect(seen).toEqual([{ text: nasty, at, copies: 2, list: [null, 'null', ''], attempts: 1 }])
    await until('the job to go', async () => (await ordersOfJobs()).length === 0, { timeoutMs })
  })

  test('that fails is kept with its error and run again', async () => {
    const attempts: number[] = []
    const print = task('print-again', {
      payload: z.object({ order: z.int() }),
      run: async (_payload, { job }) => {
        attempts.push(job.attempt)
        if (attempts.length === 1) throw new Error('out of paper')
      },
    })
    const definition = await onPlaced(({ data }) => print(data))
    await using _running = run(definition)
    await using _tasks = runTasksHere(print)
    await place(1)
    const job = await until(
      'the job to be kept with its error',
      async (saw) => {
        const { rows } = await pool.query(
          `select id, last_error, attempts, run_at > now() as later from ${defaultJobSchema}.jobs`,
        )
        saw(rows)
        return rows[0]?.last_error ? rows[0] : undefined
      },
      { timeoutMs },
    )
    expect(job).toMatchObject({
      last_error: expect.stringMatching(/^Error: out of paper\n +at /),
      attempts: 1,
      later: true,
    })
    await pool.query(`select ${defaultJobSchema}.reschedule_jobs(array[$1::bigint], now())`, [
      job.id,
    ])
    await until('the second attempt', () => attempts.length === 2, { timeoutMs })
    expect(attempts).toEqual([1, 2])
    await until('the job to go', async () => (await ordersOfJobs()).length === 0, { timeoutMs })
  })

  test('refuses a payload that its schema does not allow, when a job is made', () => {
    expect(() => invoice({ order: 1_001 })).toThrow(
      expect.objectContaining({ code: 'EVENT_DATA_INVALID' }),
    )
    // @ts-expect-error a text where a number belongs
    expect(() => invoice({ order: '1' })).toThrow()
  })
})
