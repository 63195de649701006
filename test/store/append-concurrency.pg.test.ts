import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import type { AppendResult } from '../../src/store/append-outcome.ts'
import type { StreamAppend } from '../../src/store/check-append.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { names, newStream, noted, readNumbers, waysToAppend } from './fixtures.ts'

const database = useDatabase()
const writers = 20
let pool: pg.Pool

beforeAll(async () => {
  pool = createPool({ connectionString: database.connectionString, max: writers })
  // All connections at once, so that no writer is held up by making one.
  const clients = await Promise.all(Array.from({ length: writers }, () => pool.connect()))
  for (const client of clients) client.release()
})

afterAll(async () => {
  await pool.end()
})

function append(connection: pg.Pool | pg.ClientBase, call: StreamAppend): Promise<AppendResult> {
  return appendToStream(connection, names, call)
}

/** Opens a session that ends with the test, so that a failure holds no lock against the next. */
async function openSession(config?: pg.ClientConfig): Promise<pg.Client> {
  const client = await database.client(config)
  onTestFinished(() => client.end())
  return client
}

/** Opens a session in a transaction that has appended to a stream, and has not committed. */
async function openWriter(streamId: string) {
  const client = await openSession()
  await client.query('begin')
  await append(client, { streamId, events: noted(1) })
  return {
    client,
    pid: pidOf(client),
    async end(how: 'commit' | 'rollback') {
      await client.query(how)
    },
  }
}

/** The server's process, which pg knows and does not declare: a busy client cannot be asked. */
function pidOf(client: pg.Client): number {
  return (client as pg.Client & { processID: number }).processID
}

/** Waits until a session waits for an advisory lock that the given session holds. */
async function untilBlocked(waiting: number, holder: number): Promise<void> {
  await until(`session ${waiting} to wait for ${holder}`, async (saw) => {
    const { rows } = await database.pool.query(
      /* sql */ `
        select pid, locktype, granted, pg_blocking_pids(pid) as blockers
        from pg_locks
        where locktype = 'advisory' and pid = any ($1)`,
      [[waiting, holder]],
    )
    saw(rows)
    return rows.some(
      ({ pid, granted, blockers }) => pid === waiting && !granted && blockers.includes(holder),
    )
  })
}

/** Opens a session that gives up instead of waiting for a lock. */
function impatientClient(): Promise<pg.Client> {
  return openSession({ options: '-c lock_timeout=1s' })
}

describe.each(waysToAppend)('parallel writers of one stream, by %s,', (_, appendOne) => {
  test('all succeed when they expect nothing', async () => {
    const streamId = newStream()
    const results = await Promise.all(
      Array.from({ length: writers }, (_, n) => appendOne(pool, { streamId, events: noted(n) })),
    )
    const versions = results.map(({ version }) => version)
    expect(versions.toSorted((a, b) => Number(a - b))).toEqual(
      Array.from({ length: writers }, (_, n) => BigInt(n + 1)),
    )
    const byVersion = results.map(({ version }, n) => [version, n] as const)
    const { rows } = await pool.query(
      `select version, (data ->> 'n')::integer as n from tidemark.events where stream_id = $1`,
      [streamId],
    )
    expect(new Map(rows.map((row) => [BigInt(row.version), row.n]))).toEqual(new Map(byVersion))
  })

  test.each([
    ['an exact version', 1n],
    ['absence', 'absent'],
    ['version 0', 0n],
  ] as const)('succeed once when all expect %s', async (_, expectation) => {
    const streamId = newStream()
    const before = expectation === 1n ? 1n : 0n
    if (before > 0n) await append(pool, { streamId, events: noted(100) })
    const attempts = Array.from({ length: writers }, (_, n) =>
      appendOne(pool, { streamId, events: noted(n), expect: expectation }),
    )
    const outcomes = await Promise.allSettled(attempts)

    const successes = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(successes).toMatchObject([{ value: { version: before + 1n } }])
    const errors = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(errors.length).toBe(writers - 1)
    for (const { reason } of errors) {
      expect(reason).toMatchObject({
        code: 'STREAM_VERSION_CONFLICT',
        details: { streamId, actualVersion: before + 1n },
      })
    }
    expect((await readNumbers(pool, streamId)).length).toBe(Number(before) + 1)
  })
})

describe('a writer', () => {
  test('does not wait for an open transaction on another stream', async () => {
    const [held, free, second] = [newStream(), newStream(), newStream()]
    const holder = await openWriter(held)
    const client = await impatientClient()
    expect(await append(client, { streamId: free, events: noted(1) })).toMatchObject({
      version: 1n,
    })
    await appendToStreams(client, names, [
      { streamId: free, events: noted(2) },
      { streamId: second, events: noted(3) },
    ])
    expect(await readNumbers(client, free)).toEqual([1, 2])
    await holder.end('rollback')
  })

  test('does not wait for an idle transaction that has read the stream', async () => {
    const streamId = newStream()
    await append(pool, { streamId, events: noted(1) })
    const reader = await openSession()
    await reader.query('begin isolation level repeatable read')
    await readNumbers(reader, streamId)
    const client = await impatientClient()
    expect(await append(client, { streamId, events: noted(2), expect: 1n })).toMatchObject({
      version: 2n,
    })
    await reader.query('commit')
  })

  test.each(['commit', 'rollback'] as const)(
    'of the same stream waits for the %s of the one before',
    async (how) => {
      const streamId = newStream()
      const first = await openWriter(streamId)
      const client = await openSession()
      const second = append(client, { streamId, events: noted(2) })
      await untilBlocked(pidOf(client), first.pid)

      await first.end(how)
      expect(await second).toMatchObject({ version: how === 'commit' ? 2n : 1n })
      expect(await readNumbers(pool, streamId)).toEqual(how === 'commit' ? [1, 2] : [2])
    },
  )

  test('that waited meets the version that the one before left', async () => {
    const streamId = newStream()
    const first = await openWriter(streamId)
    const client = await openSession()
    const second = append(client, { streamId, events: noted(2), expect: 'absent' })
    const refused = expect(second).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
      details: { actualVersion: 1n },
    })
    await untilBlocked(pidOf(client), first.pid)

    await first.end('commit')
    await refused
  })

  test('of many streams waits for one of them', async () => {
    const [held, other] = [newStream(), newStream()]
    const first = await openWriter(held)
    const client = await openSession()
    const second = appendToStreams(client, names, [
      { streamId: other, events: noted(2) },
      { streamId: held, events: noted(3) },
    ])
    await untilBlocked(pidOf(client), first.pid)
    await first.end('commit')
    expect(await second).toMatchObject([{ version: 1n }, { version: 2n }])
  })

  test('of up to 256 streams does not wait for the others', async () => {
    const holder = await openWriter(newStream())
    const client = await impatientClient()
    const streams = Array.from({ length: 256 }, () => newStream())
    await appendToStreams(
      client,
      names,
      streams.map((streamId) => ({ streamId, events: noted(1) })),
    )
    await holder.end('rollback')
  })

  test('of more than 256 streams takes turns with every other', async () => {
    const streams = Array.from({ length: 257 }, () => newStream())
    const call = streams.map((streamId) => ({ streamId, events: noted(1) }))
    const before = await openWriter(newStream())
    const client = await openSession()
    await client.query('begin')
    const many = appendToStreams(client, names, call)
    await untilBlocked(pidOf(client), before.pid)
    await before.end('commit')
    await many

    const late = await openSession()
    const after = append(late, { streamId: newStream(), events: noted(2) })
    await untilBlocked(pidOf(late), pidOf(client))
    await client.query('commit')
    expect(await after).toMatchObject({ version: 1n })
  })
})

describe('parallel writers of the same streams in opposite orders', () => {
  test('do not deadlock within one call', async () => {
    const [a, b, c] = [newStream(), newStream(), newStream()]
    const orders = [
      [a, b, c],
      [c, b, a],
      [b, a, c],
      [c, a, b],
    ]
    const calls = Array.from({ length: 60 }, (_, n) =>
      appendToStreams(
        pool,
        names,
        (orders[n % orders.length] ?? []).map((streamId) => ({ streamId, events: noted(n) })),
      ),
    )
    await Promise.all(calls)
    const [ofA, ofB, ofC] = await Promise.all([a, b, c].map((id) => readNumbers(pool, id)))
    expect(ofA?.length).toBe(60)
    // Whoever came first to one of them came first to all.
    expect(ofB).toEqual(ofA)
    expect(ofC).toEqual(ofA)
  })
})

describe('a caller of isolation repeatable read', () => {
  async function beginRepeatableRead(): Promise<pg.Client> {
    const client = await openSession()
    await client.query('begin isolation level repeatable read; select 1')
    return client
  }

  test('appends like any other when nobody raced it', async () => {
    const streamId = newStream()
    await append(pool, { streamId, events: noted(1) })
    const client = await beginRepeatableRead()
    expect(await append(client, { streamId, events: noted(2), expect: 1n })).toMatchObject({
      version: 2n,
    })
    await client.query('commit')
    expect(await readNumbers(pool, streamId)).toEqual([1, 2])
  })

  test.each(waysToAppend)('is told that it lost a race, by %s', async (_, appendOne) => {
    for (const expectation of ['any', 1n] as const) {
      const streamId = newStream()
      await append(pool, { streamId, events: noted(1) })
      const client = await beginRepeatableRead()
      await append(pool, { streamId, events: noted(2) })
      const raced = { streamId, events: noted(3), expect: expectation }
      // Its snapshot shows the old version, so what it expects looks right and is not.
      const error = await appendOne(client, raced).catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code: 'TRANSACTION_STALE',
        message: expect.stringMatching(/transaction anew$/),
        cause: expect.objectContaining({ code: '23505' }),
      })
      await client.query('rollback')
      expect(await readNumbers(pool, streamId)).toEqual([1, 2])
    }
  })
})
