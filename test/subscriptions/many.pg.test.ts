import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { reviseSubscription } from '../../src/subscriptions/checkpoint.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { runSubscription } from '../../src/subscriptions/run-subscription.ts'
import { SharedMoves } from '../../src/subscriptions/shared-moves.ts'
import { SharedReads } from '../../src/subscriptions/shared-reads.ts'
import type { Subscriber } from '../../src/subscriptions/subscriber.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { append, sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { applyingBy, applyOf, names, readApplied, recordingSubscriber } from './log-fixture.ts'

const database = useDatabase()

/** Counts what is asked on a pool's connections, by what it is. */
class QueryCount {
  reads = 0
  all = 0

  watch(pool: pg.Pool): void {
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown
      client.query = ((...args: unknown[]) => {
        this.all += 1
        const [statement] = args as [string | { text: string }]
        const text = typeof statement === 'string' ? statement : statement.text
        if (/read_log|log_extent/.test(text)) this.reads += 1
        return query(...args)
      }) as typeof client.query
    })
  }

  reset(): void {
    this.reads = 0
    this.all = 0
  }
}

/** Runs subscriptions as one process does, on one pool and one session. */
function runTogether(subscribers: readonly Subscriber[], batchSize = 100) {
  const { connectionString } = database
  const log = captureLog()
  const count = new QueryCount()
  const pool = createPool({ connectionString, max: 8 })
  count.watch(pool)
  const session = new LogSession({ connectionString, names, logger: log, pollIntervalMs: 200 })
  const shared = { reads: new SharedReads(), moves: new SharedMoves(pool, names) }
  const context = {
    pool,
    names,
    session,
    logger: log,
    owner: 'test',
    batchSize,
    maxAttempts: 2,
    shared,
  }
  const running = inBackground(async (signal) => {
    const parts = subscribers.map((one) => runSubscription(one, context, signal))
    await Promise.all([session.run(signal), ...parts]).finally(() => pool.end())
  })
  onTestFinished(() => running.stop())
  return { ...running, count, log }
}

async function makeSubscribers(
  prefix: string,
  count: number,
  typesOf: (i: number) => readonly string[],
): Promise<Subscriber[]> {
  const { rows } = await database.pool.query('select position::text from tidemark.sequencer')
  const from = BigInt(rows[0].position)
  const made: Subscriber[] = []
  for (let i = 0; i < count; i += 1) {
    made.push(
      await recordingSubscriber(database.pool, `${prefix}-${i}`, { types: typesOf(i), from }),
    )
  }
  return made
}

/** Commits events, gives them positions and announces them. */
async function commit(types: readonly string[]): Promise<void> {
  await append(
    database.pool,
    'many',
    types.map((type) => ({ type, data: {} })),
  )
  await sequenceNow(database.pool)
  await database.pool.query(`select pg_notify($1, position::text) from tidemark.sequencer`, [
    names.channel,
  ])
}

async function untilAllAtHead(prefix: string, except = ''): Promise<void> {
  await until(
    `all of ${prefix} to be at the head`,
    async (saw) => {
      const { rows } = await database.pool.query(
        `select s.name, s.position::text
         from tidemark.subscriptions as s
         cross join tidemark.sequencer as q
         where starts_with(s.name, $1) and s.name <> $2 and s.position < q.position`,
        [`${prefix}-`, except],
      )
      saw(rows)
      return rows.length === 0
    },
    { timeoutMs: 20_000 },
  )
}

const commits = 10

test.for([1, 10, 100])(
  'the log is read once a chunk, and idle checkpoints move together: %i subscriptions',
  { timeout: 60_000 },
  async (size) => {
    const prefix = `count${size}`
    const subscribers = await makeSubscribers(prefix, size, (i) => [`type-${i}`])
    const { count } = runTogether(subscribers)
    for (let i = 0; i < 3; i += 1) {
      await commit(['type-0'])
      await untilAllAtHead(prefix)
    }
    count.reset()
    for (let i = 0; i < commits; i += 1) {
      await commit(['type-0'])
      await untilAllAtHead(prefix)
    }
    expect(await readApplied(database.pool, `${prefix}-0`)).toHaveLength(commits + 3)
    // Each commit: one read; begin, apply, move and commit of one; begin, move and commit of all others.
    expect(count.reads).toBeGreaterThanOrEqual(commits)
    expect(count.reads).toBeLessThanOrEqual(commits * 2)
    expect(count.all).toBeLessThanOrEqual(commits * 16)
  },
)

test('each gets exactly its own events in order, also who is slow or begins late', {
  timeout: 60_000,
}, async () => {
  const prefix = 'exact'
  const typesOf = (i: number) => ['a', 'b', 'c', 'd'].filter((_, bit) => ((i + 1) >> bit) % 2 === 1)
  const made = await makeSubscribers(prefix, 12, typesOf)
  const subscribers = made.map((one, i) => {
    const apply = applyOf(one)
    if (i % 4 !== 0) return one
    return applyingBy(one, async (client, events) => {
      await sleep(events.length % 7)
      await apply(client, events)
    })
  })
  const { rows } = await database.pool.query('select position::text from tidemark.sequencer')
  const from = BigInt(rows[0].position)
  runTogether(subscribers.slice(0, 8), 5)
  const types = ['a', 'b', 'c', 'd']
  for (let i = 0; i < 40; i += 1) {
    await commit(Array.from({ length: 1 + (i % 4) }, (_, j) => types[(i + j * j) % 4] ?? 'a'))
    if (i === 20) runTogether(subscribers.slice(8), 5)
  }
  await untilAllAtHead(prefix)
  const log = await database.pool.query(
    'select position::text, type from tidemark.log where position > $1 order by log.position',
    [from.toString()],
  )
  for (const [i, one] of subscribers.entries()) {
    const expected = log.rows.filter(({ type }) => typesOf(i).includes(type))
    const applied = await readApplied(database.pool, one.id.name)
    expect(applied.map(({ position }) => position)).toEqual(
      expected.map(({ position }) => BigInt(position)),
    )
  }
})

test('one whose row is locked holds up nobody else, and moves when it is free', async () => {
  const prefix = 'locked'
  const subscribers = await makeSubscribers(prefix, 5, (i) => [`locked-${i}`])
  runTogether(subscribers)
  await commit(['locked-0'])
  await untilAllAtHead(prefix)
  const client = await database.pool.connect()
  try {
    await client.query('begin')
    await client.query(`select from tidemark.subscriptions where name = '${prefix}-3' for update`)
    await commit(['locked-0'])
    await untilAllAtHead(prefix, `${prefix}-3`)
    await client.query('commit')
  } finally {
    client.release()
  }
  await untilAllAtHead(prefix)
})

test('one that somebody else has changed begins anew, and the others go on', async () => {
  const prefix = 'revised'
  const subscribers = await makeSubscribers(prefix, 3, (i) => [`revised-${i}`])
  const { log } = runTogether(subscribers)
  await commit(['revised-0'])
  await untilAllAtHead(prefix)
  const [, second] = subscribers
  if (second === undefined) throw new Error('there is no second subscription')
  await reviseSubscription(database.pool, names, second.id)
  await commit(['revised-0'])
  await untilAllAtHead(prefix)
  const [line] = log.withCode('CHECKPOINT_REGRESSED')
  expect(line).toMatchObject({ level: 'debug' })
  expect([...log.at('warn'), ...log.at('error')]).toEqual([])
})
