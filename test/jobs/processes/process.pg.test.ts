import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createPool } from '../../../src/db/connect.ts'
import {
  type AnyProcess,
  createStore,
  decider,
  event,
  type InstanceState,
  processManager,
  reject,
  runWorker,
  type Store,
  silentLogger,
  task,
  type WorkerOptions,
} from '../../../src/index.ts'
import {
  fulfilment,
  OrderCancelled,
  OrderPlaced,
  thankYou,
} from '../../core/processes/fulfilment.ts'
import { inBackground } from '../../sequencer/background.ts'
import { dropLogSlots } from '../../sequencer/ledger.ts'
import { useDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

const database = useDatabase()
let pool: pg.Pool
let store: Store

beforeAll(async () => {
  pool = createPool({ connectionString: database.connectionString, max: 4 })
  store = await createStore({ connectionString: database.connectionString })
})

afterAll(async () => {
  await store.close()
  await pool.end()
  await dropLogSlots(database.connectionString)
})

function startWorker(processes: readonly AnyProcess[], options: Partial<WorkerOptions> = {}) {
  const { connectionString } = database
  const settings = { connectionString, processes, pollIntervalMs: 100, logger: silentLogger }
  const worker = inBackground((signal) =>
    runWorker({ ...settings, tasks: [thankYou], ...options }, signal),
  )
  onTestFinished(() => worker.stop().catch(() => {}))
  return worker
}

async function untilInstance(process: AnyProcess, id: string, state: InstanceState) {
  return until(
    `instance "${id}" of "${process.name}" to be ${state}`,
    async (saw) => {
      const details = await store.processes.show(process, id).catch(() => undefined)
      saw(details)
      return details?.state === state ? details : undefined
    },
    { timeoutMs: 20_000 },
  )
}

/** Events about an order, but for those of its process. */
async function typesOf(orderId: string): Promise<string[]> {
  const { rows } = await pool.query(
    `select type from tidemark.events where data ->> 'orderId' = $1 order by insert_id`,
    [orderId],
  )
  return rows.map(({ type }) => type)
}

let orders = 0

/** An order of its own for each test. */
function newOrder(): string {
  orders += 1
  return `o${orders}`
}

async function place(orderId: string, { cents = 4_200, items = 2 } = {}): Promise<void> {
  await store.append(`order-${orderId}`, OrderPlaced({ orderId, cents, items }))
}

test('an instance goes from its first event to its end', async () => {
  const thanked: string[] = []
  const thank = {
    ...thankYou,
    run: async (payload: unknown) => thanked.push(JSON.stringify(payload)),
  }
  startWorker([fulfilment], { tasks: [thank] })
  const orderId = newOrder()
  await place(orderId)
  const { value, steps, timers, history } = await untilInstance(fulfilment, orderId, 'completed')
  expect(await typesOf(orderId)).toEqual([
    'order.placed',
    'stock.reserved',
    'payment.taken',
    'parcel.sent',
  ])
  expect(value).toEqual({ orderId, cents: 4_200, isPaid: true })
  expect(steps.map(({ call, state }) => [call.command, state])).toEqual([
    ['reserve', 'succeeded'],
    ['charge', 'succeeded'],
    ['send', 'succeeded'],
  ])
  expect(timers).toEqual([])
  expect(history.at(0)?.told.type).toBe('order.placed')
  await until('the job to have run', async () => thanked.length > 0, { timeoutMs: 20_000 })
  expect(thanked).toEqual([JSON.stringify({ orderId })])
})

test('names what it was told as the cause of what it does', async () => {
  startWorker([fulfilment])
  const orderId = newOrder()
  const metadata = { correlationId: 'c0ffee' }
  await store.append(`order-${orderId}`, OrderPlaced({ orderId, cents: 1, items: 1 }, { metadata }))
  await untilInstance(fulfilment, orderId, 'completed')
  const { rows } = await pool.query(
    `select e.type, e.metadata ->> 'correlationId' as correlation, c.type as cause
     from tidemark.events as e
     left join tidemark.events as c on c.event_id::text = e.metadata ->> 'causationId'
     where e.data ->> 'orderId' = $1 order by e.insert_id`,
    [orderId],
  )
  expect(rows.map(({ correlation }) => correlation)).toEqual(Array(4).fill('c0ffee'))
  expect(rows.map(({ type, cause }) => [type, cause])).toEqual([
    ['order.placed', null],
    ['stock.reserved', 'order.placed'],
    ['payment.taken', 'stock.reserved'],
    ['parcel.sent', 'payment.taken'],
  ])
})

describe('an instance that fails', () => {
  test('undoes what it did when a command is refused, the last first', async () => {
    startWorker([fulfilment])
    const orderId = newOrder()
    await place(orderId, { cents: 200_000 })
    const { reason } = await untilInstance(fulfilment, orderId, 'compensated')
    expect(reason).toBe(`command "charge" was refused by "payment-${orderId}": card-refused`)
    expect(await typesOf(orderId)).toEqual(['order.placed', 'stock.reserved', 'stock.released'])
  })

  test('is not begun again by another event that could begin it', async () => {
    startWorker([fulfilment])
    const orderId = newOrder()
    await place(orderId, { items: 20 })
    await untilInstance(fulfilment, orderId, 'compensated')
    await place(orderId)
    const { token } = await store.append(`order-${orderId}`, OrderCancelled({ orderId }))
    await store.waitFor(token, fulfilment, { timeoutMs: 20_000 })
    expect(await typesOf(orderId)).toEqual(['order.placed', 'order.placed', 'order.cancelled'])
  })

  test('can be made to by somebody, once', async () => {
    const Slow = event('slow.begun').v(1, z.object({ orderId: z.string() }))
    const waiting = processManager('waiting', {
      events: [Slow],
      id: (e) => e.data.orderId,
      starts: ['slow.begun'],
      from: 'start',
      initial: () => null,
      on: {},
    })
    startWorker([waiting])
    await store.append('slow-1', Slow({ orderId: 's1' }))
    await untilInstance(waiting, 's1', 'running')
    await store.processes.abort(waiting, 's1', 'not wanted any more')
    const { reason } = await untilInstance(waiting, 's1', 'compensated')
    expect(reason).toBe('not wanted any more')
    await expect(store.processes.abort(waiting, 's1', 'again')).rejects.toMatchObject({
      code: 'PROCESS_STATE_INVALID',
      details: { process: 'waiting', id: 's1', state: 'compensated' },
    })
    await expect(store.processes.retry(waiting, 's2')).rejects.toMatchObject({
      code: 'PROCESS_INSTANCE_UNKNOWN',
    })
  })
})

describe('a timer', () => {
  const Begun = event('timed.begun').v(1, z.object({ id: z.string() }))
  const Ended = event('timed.ended').v(1, z.object({ id: z.string() }))

  const timed = processManager('timed', {
    events: [Begun, Ended],
    id: (e) => e.data.id,
    starts: ['timed.begun'],
    from: 'start',
    initial: () => ({ ticks: 0 }),
    on: {
      'timed.begun': (_, __, act) => [act.after('200ms', 'short'), act.after('1h', 'long')],
      'timed.ended': (_, __, act) => [act.cancel('long')],
    },
    onTimer: {
      short: (_, act) => act.after('1d', 'short'),
      long: (_, act) => act.fail('too long'),
    },
  })

  test('wakes the instance when it has run down', async () => {
    startWorker([timed])
    await store.append('timed-1', Begun({ id: 't1' }))
    const details = await until(
      'the short timer to have run down',
      async (saw) => {
        const found = await store.processes.show(timed, 't1').catch(() => undefined)
        saw(found)
        return found?.history.length === 2 ? found : undefined
      },
      { timeoutMs: 20_000 },
    )
    expect(details.history.map(({ told }) => told.type)).toEqual([
      'timed.begun',
      'tidemark.process.timer-elapsed',
    ])
    expect(details.timers.map(({ name }) => name)).toEqual(['long', 'short'])
  })

  test('that was cancelled wakes nobody, and leaves no job', async () => {
    startWorker([timed])
    await store.append('timed-2', Begun({ id: 't2' }))
    await store.append('timed-2', Ended({ id: 't2' }))
    const jobs = async () => {
      const { rows } = await pool.query(
        `select payload ->> 'name' as name from graphile_worker._private_jobs
         where payload ->> 'streamId' = 'process:timed-t2'`,
      )
      return rows.map(({ name }) => name)
    }
    await until(
      'the long timer to be gone',
      async (saw) => {
        const found = await store.processes.show(timed, 't2').catch(() => undefined)
        saw(found)
        return found?.history.some(({ told }) => told.type === 'timed.ended') === true
      },
      { timeoutMs: 20_000 },
    )
    expect(await jobs()).not.toContain('long')
  })
})

describe('a command that cannot be carried out', () => {
  const Broken = event('broken.begun').v(1, z.object({ id: z.string() }))
  const Mended = event('machine.mended').v(1, z.object({ id: z.string() }))
  let isBroken = true
  let isLocked = true

  const Machine = decider('machine', {
    events: [Mended],
    initial: () => 0,
    evolve: { 'machine.mended': (n) => n + 1 },
    commands: {
      run: (_, id: string) => {
        if (isBroken) throw new Error('the machine is broken')
        return Mended({ id })
      },
      undo: () => (isLocked ? reject('not-now') : []),
    },
  })

  const running = processManager('machines', {
    events: [Broken, Mended],
    deciders: [Machine],
    id: (e) => e.data.id,
    starts: ['broken.begun'],
    from: 'start',
    maxAttempts: 1,
    initial: () => null,
    on: {
      'broken.begun': (_, e, act) =>
        act.command(Machine, e.data.id, 'run', e.data.id, {
          compensate: act.command(Machine, e.data.id, 'undo'),
        }),
      'machine.mended': (_, __, act) => act.complete(),
    },
  })

  const failing = processManager('failing.machines', {
    events: [Broken, Mended],
    deciders: [Machine],
    id: (e) => e.data.id,
    starts: ['broken.begun'],
    from: 'start',
    initial: () => null,
    on: {
      'broken.begun': (_, e, act) =>
        act.command(Machine, e.data.id, 'run', e.data.id, {
          compensate: act.command(Machine, e.data.id, 'undo'),
        }),
      'machine.mended': (_, e, act) =>
        ['m3', 'm4'].includes(e.data.id) ? act.fail('enough') : null,
    },
  })

  test('makes the instance stuck until it is retried', async () => {
    isBroken = true
    startWorker([running])
    await store.append('broken-1', Broken({ id: 'm1' }))
    const { steps } = await untilInstance(running, 'm1', 'stuck')
    expect(steps.map(({ state, reason }) => [state, reason])).toEqual([
      ['gave-up', 'the machine is broken'],
    ])
    expect((await store.status()).processes).toContainEqual({
      name: 'machines',
      running: 0,
      compensating: 0,
      stuck: 1,
    })
    expect(await store.processes.list({ state: 'stuck' })).toMatchObject([{ id: 'm1' }])
    isBroken = false
    await store.processes.retry(running, 'm1')
    await untilInstance(running, 'm1', 'completed')
    expect(await store.parked.jobs({ task: 'process:machines' })).toEqual([])
  })

  test('is a dead letter, which can be retried too', async () => {
    isBroken = true
    startWorker([running])
    await store.append('broken-2', Broken({ id: 'm2' }))
    await untilInstance(running, 'm2', 'stuck')
    await until(
      'the job to be dead',
      async () => (await store.parked.jobs({ task: 'process:machines' })).length === 1,
      { timeoutMs: 20_000 },
    )
    isBroken = false
    await store.parked.retryJobs({ task: 'process:machines' })
    await untilInstance(running, 'm2', 'completed')
  })

  test('makes it stuck too when it is a compensation that is refused', async () => {
    isBroken = false
    startWorker([failing])
    await store.append('broken-3', Broken({ id: 'm3' }))
    const { steps } = await untilInstance(failing, 'm3', 'stuck')
    expect(steps.at(-1)).toMatchObject({ state: 'rejected', reason: 'not-now' })
    isLocked = false
    await store.processes.retry(failing, 'm3')
    await untilInstance(failing, 'm3', 'compensated')
  })

  test('goes on undoing once somebody says that it was done by hand, with the reason', async () => {
    isBroken = false
    isLocked = true
    startWorker([failing])
    await store.append('broken-4', Broken({ id: 'm4' }))
    await untilInstance(failing, 'm4', 'stuck')
    await store.processes.settle(failing, 'm4', 'switched off by hand')
    const { steps } = await untilInstance(failing, 'm4', 'compensated')
    expect(steps.at(-1)).toMatchObject({ state: 'settled', reason: 'switched off by hand' })
    const { rows } = await pool.query(
      `select data from tidemark.events
       where stream_id = 'process:failing.machines-m4' and type = 'tidemark.process.settled'`,
    )
    expect(rows).toEqual([{ data: { reason: 'switched off by hand' } }])
    await expect(store.processes.settle(failing, 'm4', 'again')).rejects.toMatchObject({
      code: 'PROCESS_STATE_INVALID',
    })
  })
})

describe('other code', () => {
  const Opened = event('door.opened').v(1, z.object({ id: z.string() }))
  const Closed = event('door.closed').v(1, z.object({ id: z.string() }))
  const Note = task('note', { payload: z.object({ text: z.string() }), run: async () => {} })

  function doors(text: string, handlers: 'works' | 'throws') {
    return processManager('doors', {
      events: [Opened, Closed],
      id: (e) => e.data.id,
      starts: ['door.opened'],
      from: 'start',
      onError: 'park',
      initial: () => ({ seen: [] as string[] }),
      evolve: {
        'door.opened': (state) => ({ seen: [...state.seen, text] }),
      },
      on: {
        'door.opened': (_, __, act) => act.job(Note({ text })),
        'door.closed': (_, e, act) => {
          if (handlers === 'throws' && e.data.id === 'd1') throw new Error('stuck door')
          return act.complete()
        },
      },
    })
  }

  test('neither repeats nor undoes what was answered; what it throws on is parked by instance', async () => {
    const noted: string[] = []
    const note = {
      ...Note,
      run: async (payload: unknown) => noted.push((payload as { text: string }).text),
    }
    const first = startWorker([doors('first', 'throws')], { tasks: [note], maxAttempts: 1 })
    await store.append('door-1', [Opened({ id: 'd1' }), Closed({ id: 'd1' })])
    await store.append('door-2', [Opened({ id: 'd2' }), Closed({ id: 'd2' })])
    await untilInstance(doors('first', 'throws'), 'd2', 'completed')
    await until('a parked event', async () => (await store.parked.list()).length === 1, {
      timeoutMs: 20_000,
    })
    await first.stop()
    const mended = doors('second', 'works')
    expect(await store.parked.retry(mended)).toMatchObject({ applied: 1, failed: [] })
    startWorker([mended], { tasks: [note] })
    const { value } = await untilInstance(mended, 'd1', 'completed')
    expect(value).toEqual({ seen: ['second'] })
    await until('both notes', async () => noted.length === 2, { timeoutMs: 20_000 })
    expect(noted).toEqual(['first', 'first'])
  })
})
