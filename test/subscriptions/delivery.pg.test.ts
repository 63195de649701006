import fc from 'fast-check'
import { describe, expect, inject, test } from 'vitest'
import type { Subscriber } from '../../src/subscriptions/subscriber.ts'
import { append, readLedger, readOrder, sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import {
  applyingBy,
  applyOf,
  type RunOptions,
  readApplied,
  readSubscription,
  recordingSubscriber,
  startSubscription,
  untilAt,
} from './log-fixture.ts'

const database = useDatabase()
let subscriptions = 0

function newName(): string {
  subscriptions += 1
  return `subscription_${subscriptions}`
}

/** Runs a subscription on the file's database. */
function start(subscriber: Subscriber, options: Omit<RunOptions, 'connectionString'> = {}) {
  return startSubscription(subscriber, {
    connectionString: database.connectionString,
    ...options,
  })
}

/** The events that belong to a run of positions, as they stand in the log. */
async function expectedAfter(start: bigint) {
  const order = await readOrder(database.pool)
  return order
    .map((event, i) => ({ position: BigInt(i) + 1n, event }))
    .filter(({ position }) => position > start)
}

test('delivers the whole log in order, and then what is appended', async () => {
  const name = newName()
  for (let i = 0; i < 10; i += 1) await append(database.pool, `whole-${i % 3}`, 1 + i)
  await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name)
  start(subscriber, { batchSize: 7 })
  for (let i = 0; i < 5; i += 1) {
    await append(database.pool, 'whole-live', 2)
    await untilAt(database.pool, name, await sequenceNow(database.pool))
  }
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(0n))
})

test('what takes long to apply comes in short transactions, and in long ones once it does not', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const recording = await recordingSubscriber(database.pool, name, { from })
  let msPerEvent = 15
  const sizes: number[] = []
  const subscriber = applyingBy(recording, async (client, events) => {
    sizes.push(events.length)
    await new Promise((resolve) => setTimeout(resolve, events.length * msPerEvent))
    await applyOf(recording)(client, events)
  })
  await append(database.pool, 'slow', 600)
  const head = await sequenceNow(database.pool)
  start(subscriber, { batchSize: 100 })
  await until('a third chunk', () => sizes.length === 3)
  msPerEvent = 0
  await untilAt(database.pool, name, head)
  // The second was read ahead before the first was applied. A second is what one may take.
  expect(sizes.slice(0, 2)).toEqual([100, 100])
  expect(sizes[2]).toBeLessThanOrEqual(66)
  expect(Math.max(...sizes.slice(3))).toBe(100)
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
})

test('begins behind its checkpoint', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  start(subscriber)
  await append(database.pool, 'behind', 3)
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
})

test('passes over the positions of other types without a call', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from, types: ['odd'] })
  let calls = 0
  const counting: Subscriber = applyingBy(subscriber, (client, events) => {
    calls += 1
    return applyOf(subscriber)(client, events)
  })
  const events = Array.from({ length: 30 }, (_, i) => ({
    type: i === 17 ? 'odd' : 'even',
    data: {},
  }))
  for (const event of events) await append(database.pool, 'types', [event])
  const head = await sequenceNow(database.pool)
  const running = start(counting, { batchSize: 5 })
  await untilAt(database.pool, name, head)

  expect(calls).toBe(1)
  expect(running.chunks).toHaveLength(6)
  expect((await readApplied(database.pool, name)).map(({ position }) => position)).toEqual([
    from + 18n,
  ])
})

test('two processes that both believe they own it apply each event once, in order', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const runs = [7, 3].map((batchSize) => start(subscriber, { batchSize, forced: true }))
  for (let i = 0; i < 60; i += 1) {
    await append(database.pool, `both-${i % 4}`, 1 + (i % 5))
    if (i % 4 === 0) await sequenceNow(database.pool)
  }
  await untilAt(database.pool, name, await sequenceNow(database.pool), 20_000)

  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
  expect(runs.map((run) => run.log.at('error'))).toEqual([[], []])
})

test('a checkpoint that somebody moved, without saying that he changed anything, is a warning', async () => {
  const name = newName()
  await append(database.pool, 'moved', 2)
  const from = await sequenceNow(database.pool)
  const { log } = start(await recordingSubscriber(database.pool, name))
  await untilAt(database.pool, name, from)
  await database.pool.query(
    'update tidemark.subscriptions set position = position - 1 where name = $1',
    [name],
  )
  await append(database.pool, 'moved', 1)
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  expect(log.withCode('CHECKPOINT_REGRESSED')).toEqual([
    expect.objectContaining({
      level: 'warn',
      message: expect.stringContaining(`position ${from}`),
    }),
  ])
})

test('a process that lost a race is not to blame for what its handler then says', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const recording = await recordingSubscriber(database.pool, name, { from })
  // As a reducer that refuses to see an event twice.
  const strict: Subscriber = applyingBy(recording, async (client, events) => {
    const { rows } = await client.query(
      'select position from applied where name = $1 and position = any ($2)',
      [name, events.map((event) => event.position.toString())],
    )
    if (rows.length > 0) throw new Error('these events are applied already')
    await applyOf(recording)(client, events)
  })
  const runs = [1, 2].map((batchSize) => start(strict, { batchSize, forced: true, maxAttempts: 1 }))
  for (let i = 0; i < 60; i += 1) await append(database.pool, `blame-${i % 4}`)
  await untilAt(database.pool, name, await sequenceNow(database.pool), 20_000)
  for (let i = 0; i < 20; i += 1) await append(database.pool, `blame-${i % 4}`)
  await untilAt(database.pool, name, await sequenceNow(database.pool), 20_000)

  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
  expect(runs.map((run) => run.log.at('error'))).toEqual([[], []])
  expect(await readSubscription(database.pool, name)).toMatchObject({
    state: 'active',
    error: null,
  })
})

test('a process that stands still amid a chunk holds up nobody for long', async () => {
  const { pool, connectionString } = database
  const subscriber = await recordingSubscriber(pool, 'frozen')
  const { promise: standingStill, resolve: goOn } = Promise.withResolvers<void>()
  await append(pool, 'frozen', 3)
  const upto = await sequenceNow(pool)
  const frozen = startSubscription(
    applyingBy(subscriber, async (client, events) => {
      await applyOf(subscriber)(client, events)
      await standingStill
    }),
    { connectionString, forced: true, chunkLimits: { silenceMs: 500 } },
  )
  await until('the chunk to stand still', async () => {
    const { rows } = await pool.query(/* sql */ `
      select from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`)
    return rows.length > 0
  })
  startSubscription(subscriber, { connectionString, forced: true })
  await untilAt(pool, 'frozen', upto)
  goOn()
  await until('the other to be told', (saw) => {
    saw(frozen.log.lines)
    return frozen.log.at('warn').length > 0
  })
  const applied = await readApplied(pool, 'frozen')
  expect(applied.map(({ position }) => position)).toEqual(
    Array.from({ length: Number(upto) }, (_, i) => BigInt(i + 1)),
  )
})

test('connections that are cut amid chunks cost nothing', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const recording = await recordingSubscriber(database.pool, name, { from })
  const cuts = new Set<bigint>()
  const cutting: Subscriber = applyingBy(recording, async (client, events) => {
    await applyOf(recording)(client, events)
    const first = events[0]?.position ?? 0n
    if (cuts.size < 12 && !cuts.has(first)) {
      cuts.add(first)
      const { rows } = await client.query('select pg_backend_pid() as pid')
      await database.pool.query('select pg_terminate_backend($1)', [rows[0].pid])
    }
  })
  const run = start(cutting, { batchSize: 3 })
  for (let i = 0; i < 30; i += 1) await append(database.pool, `cut-${i % 4}`, 1 + (i % 3))
  await untilAt(database.pool, name, await sequenceNow(database.pool), 25_000)

  expect(cuts.size).toBe(12)
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
  expect(run.log.at('error')).toEqual([])
})

test('a session that is cut lets another process take over, without loss', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const runs = [1, 2].map(() => start(subscriber, { batchSize: 4 }))
  for (let i = 0; i < 8; i += 1) {
    await append(database.pool, `session-${i % 3}`, 9)
    const head = await sequenceNow(database.pool)
    await database.pool.query(/* sql */ `
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where datname = current_database() and application_name = 'tidemark session'`)
    await untilAt(database.pool, name, head)
  }
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
  expect(runs.map((run) => run.log.at('error'))).toEqual([[], []])
})

test('the owner applies everything, and hands over when it stops', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const first = start(subscriber, { owner: 'first' })
  await append(database.pool, 'owner')
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  const second = start(subscriber, { owner: 'second' })
  for (let i = 0; i < 5; i += 1) {
    await append(database.pool, 'owner')
    await untilAt(database.pool, name, await sequenceNow(database.pool))
  }
  expect(second.chunks).toEqual([])

  await first.stop()
  await append(database.pool, 'owner')
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  expect(second.chunks).toHaveLength(1)
  expect(await first.result).toBe('aborted')
  const { rows } = await database.pool.query(
    'select owner from tidemark.subscriptions where name = $1',
    [name],
  )
  expect(rows).toEqual([{ owner: 'second' }])
})

test('positions that somebody announces and the ledger does not have do no harm', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const run = start(subscriber)
  for (const payload of ['', 'nonsense', '-1', '99999999999999999999', `${from + 1_000n}`]) {
    await database.pool.query("select pg_notify('tidemark_log', $1)", [payload])
  }
  await append(database.pool, 'announced', 2)
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
  expect(run.log.at('error')).toEqual([])
})

test('a position that nobody announced is found by looking', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const run = start(subscriber)
  await append(database.pool, 'silent')
  await untilAt(database.pool, name, await sequenceNow(database.pool))

  await append(database.pool, 'silent')
  const { rows } = await database.pool.query(/* sql */ `
    select r.last_position::text as head
    from tidemark.sequencer as s
    cross join lateral tidemark.sequence_from_table(
      s.generation, 'none', pg_current_snapshot(), pg_current_wal_lsn(), null
    ) as r`)
  await untilAt(database.pool, name, BigInt(rows[0].head))
  expect(run.chunks).toHaveLength(2)
})

test('ends as gone when its checkpoint is dropped, and not before', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const run = start(subscriber)
  await append(database.pool, 'gone')
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  await database.pool.query('delete from tidemark.subscriptions where name = $1', [name])
  await append(database.pool, 'gone')
  await sequenceNow(database.pool)

  expect(await run.result).toBe('gone')
  expect(await readSubscription(database.pool, name)).toBeUndefined()
  expect(run.log.at('error')).toEqual([])
  expect(await readApplied(database.pool, name)).toHaveLength(1)
})

test('ends as gone when its checkpoint is dropped together with its tables', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  const recording = await recordingSubscriber(database.pool, name, { from })
  await database.pool.query('create table short_lived (n integer)')
  const run = start(
    applyingBy(recording, (client) =>
      client.query('insert into short_lived values (1)').then(() => {}),
    ),
  )
  await append(database.pool, 'gone-too')
  await untilAt(database.pool, name, await sequenceNow(database.pool))
  await database.pool.query(/* sql */ `
    drop table short_lived;
    delete from tidemark.subscriptions where name = '${name}'`)
  await append(database.pool, 'gone-too')
  await sequenceNow(database.pool)

  expect(await run.result).toBe('gone')
  expect(run.log.at('error')).toEqual([])
})

test('ends as gone at once when there never was a checkpoint', async () => {
  const name = newName()
  const subscriber = await recordingSubscriber(database.pool, name)
  await database.pool.query('delete from tidemark.subscriptions where name = $1', [name])
  const run = start(subscriber)
  expect(await run.result).toBe('gone')
})

describe('chunks', () => {
  test('hold whole commits, except of one that is larger than a chunk', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 15 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 10 }), async (commits, batchSize) => {
        const name = newName()
        const from = await sequenceNow(database.pool)
        for (const [i, size] of commits.entries()) await append(database.pool, `c-${i % 3}`, size)
        const head = await sequenceNow(database.pool)
        const subscriber = await recordingSubscriber(database.pool, name, { from })
        const run = start(subscriber, { batchSize })
        await untilAt(database.pool, name, head)
        await run.stop()

        expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
        const ledger = (await readLedger(database.pool)).filter((row) => row.position > from)
        for (const end of run.chunks) {
          const commit = ledger.find((row) => row.position >= end)
          const isWhole = commit?.position === end
          expect(isWhole || (commit?.events ?? 0) > batchSize).toBe(true)
        }
        const starts = [from, ...run.chunks]
        const lengths = run.chunks.map((end, i) => Number(end - (starts[i] ?? 0n)))
        expect(Math.max(...lengths)).toBeLessThanOrEqual(batchSize)
      }),
      { numRuns: 15 },
    )
  })

  test('come in order from a commit far larger than a chunk, which others overlap', async () => {
    const name = newName()
    const from = await sequenceNow(database.pool)
    const [first, second] = [await database.client(), await database.client()]
    await first.query('begin')
    await append(first, 'large-a', 90)
    await second.query('begin')
    await append(second, 'large-b', 95)
    await append(first, 'large-c', 30)
    await second.query('commit')
    const subscriber = await recordingSubscriber(database.pool, name, { from })
    const run = start(subscriber, { batchSize: 7 })
    await sequenceNow(database.pool)
    await append(first, 'large-a', 20)
    await first.query('commit')
    await append(database.pool, 'large-d')
    await untilAt(database.pool, name, await sequenceNow(database.pool))

    expect(await readApplied(database.pool, name)).toEqual(await expectedAfter(from))
    expect(run.chunks.length).toBeGreaterThan(30)
  })

  test('come in order however the server stores the ledger and is made to plan', async () => {
    const scans = 'enable_indexscan=off;enable_indexonlyscan=off;enable_bitmapscan=off'
    // Named anew in version 16.
    const forced =
      inject('postgres').version >= 160_000 ? 'debug_parallel_query' : 'force_parallel_mode'
    const parallel = `parallel_setup_cost=0;parallel_tuple_cost=0;min_parallel_table_scan_size=0;${forced}=on`
    const settings = [
      'plan_cache_mode=force_generic_plan',
      'enable_nestloop=off;enable_sort=off;enable_material=off',
      scans,
      parallel,
      `${scans};${parallel};enable_nestloop=off`,
    ]
    const open = await database.client()
    for (let i = 0; i < 10; i += 1) {
      await open.query('begin')
      await append(open, `plan-open-${i}`, 2)
      await append(database.pool, `plan-${i % 3}`, 1 + (i % 9))
      await sequenceNow(database.pool)
      await open.query('commit')
    }
    const head = await sequenceNow(database.pool)
    // Now the rows lie in the order of the transaction ids, which is not the order of the log.
    await database.pool.query('cluster tidemark.commits using commits_transaction_key')
    await database.pool.query('analyze tidemark.commits, tidemark.events')
    const url = new URL(database.connectionString)
    for (const setting of settings) {
      const options = setting
        .split(';')
        .map((one) => `-c ${one}`)
        .join(' ')
      url.searchParams.set('options', options)
      const name = newName()
      const subscriber = await recordingSubscriber(database.pool, name)
      const run = startSubscription(subscriber, { connectionString: url.href, batchSize: 40 })
      await untilAt(database.pool, name, head)
      await run.stop()
      expect(await readApplied(database.pool, name), setting).toEqual(await expectedAfter(0n))
    }
  })
})

test('stops when the table does not hold what the ledger promises, and skips nothing', async () => {
  const name = newName()
  const from = await sequenceNow(database.pool)
  await append(database.pool, 'lost', 2)
  await append(database.pool, 'lost', 2)
  await append(database.pool, 'lost', 2)
  await sequenceNow(database.pool)
  const client = await database.client()
  await client.query('begin')
  await client.query('alter table tidemark.events disable trigger user')
  await client.query("delete from tidemark.events where stream_id = 'lost' and version = 4")
  await client.query('alter table tidemark.events enable trigger user')
  await client.query('commit')

  const subscriber = await recordingSubscriber(database.pool, name, { from })
  const run = start(subscriber, { batchSize: 2 })
  expect(await run.result).toBe('failed')
  expect(await readSubscription(database.pool, name)).toMatchObject({
    position: from + 2n,
    state: 'failed',
    error: { code: 'LOG_INCONSISTENT', position: `${from + 4n}` },
  })
  await until('the failure to be logged', () => run.log.withCode('LOG_INCONSISTENT').length > 0)
})
