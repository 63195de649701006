import { v7 as uuidV7 } from 'uuid'
import { describe, expect, onTestFinished, test } from 'vitest'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import type { AppendResult } from '../../src/store/append-outcome.ts'
import type { Expectation } from '../../src/store/check-append.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { Noted, names, newStream, noted, readNumbers } from './fixtures.ts'

const database = useDatabase()
let keys = 0

/** Makes a key that no other test uses. */
function newKey(): string {
  keys += 1
  return `request ${keys}`
}

function append(streamId: string, numbers: number[], key?: string, expectation?: Expectation) {
  const events = noted(...numbers)
  const call =
    expectation === undefined ? { streamId, events } : { streamId, events, expect: expectation }
  return appendToStream(database.pool, names, call, { key })
}

function appendMany(calls: readonly (readonly [string, number[], Expectation?])[], key?: string) {
  const appends = calls.map(([streamId, numbers, expectation = 'any']) => {
    return { streamId, events: noted(...numbers), expect: expectation }
  })
  return appendToStreams(database.pool, names, appends, { key })
}

describe('an append with a key', () => {
  test.for<[Expectation, number]>([
    ['any', 0],
    ['absent', 0],
    ['present', 1],
    [0n, 0],
    [1n, 1],
  ])(
    'that expects %s is carried out once, however often it comes',
    async ([expectation, before]) => {
      const [streamId, key] = [newStream(), newKey()]
      if (before > 0) await append(streamId, [0])
      const first = await append(streamId, [1, 2], key, expectation)
      await append(streamId, [3])
      const second = await append(streamId, [1, 2], key, expectation)
      expect(first.replayed).toBe(false)
      expect(second).toEqual({ ...first, replayed: true })
      expect(await readNumbers(database.pool, streamId)).toEqual([
        ...(before > 0 ? [0] : []),
        ...[1, 2, 3],
      ])
    },
  )

  test('is carried out once when twenty come at a time', async () => {
    const [streamId, key] = [newStream(), newKey()]
    const results = await Promise.all(Array.from({ length: 20 }, () => append(streamId, [1], key)))
    expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect(new Set(results.map(({ token, version }) => `${token} ${version}`)).size).toBe(1)
    expect(await readNumbers(database.pool, streamId)).toEqual([1])
  })

  test('is refused when the key belongs to other events, or to another stream', async () => {
    const [streamId, key] = [newStream(), newKey()]
    await append(streamId, [1], key)
    const refused = { code: 'APPEND_KEY_REUSED', details: { key } }
    await expect(append(streamId, [2], key)).rejects.toMatchObject(refused)
    await expect(append(streamId, [1, 2], key)).rejects.toMatchObject(refused)
    await expect(append(newStream(), [1], key)).rejects.toMatchObject(refused)
    await expect(appendMany([[newStream(), [1]]], key)).rejects.toMatchObject(refused)
    expect(await readNumbers(database.pool, streamId)).toEqual([1])
  })

  test('may have other ids, metadata and expectations when it comes again, but no other tags', async () => {
    const [streamId, key] = [newStream(), newKey()]
    const put = (event: object, expectation: Expectation) =>
      appendToStream(
        database.pool,
        names,
        { streamId, events: [{ ...Noted({ n: 1 }), ...event }], expect: expectation },
        { key },
      )
    await put({ id: uuidV7(), metadata: { requestId: 'a' }, tags: ['x'] }, 'absent')
    expect(
      await put({ id: uuidV7(), metadata: { requestId: 'b' }, tags: ['x'] }, 7n),
    ).toMatchObject({ replayed: true, version: 1n })
    await expect(put({ tags: ['y'] }, 'any')).rejects.toMatchObject({ code: 'APPEND_KEY_REUSED' })
  })

  test('leaves the key free when it fails or is rolled back', async () => {
    const [streamId, key] = [newStream(), newKey()]
    await expect(append(streamId, [1], key, 'present')).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
    })
    const client = await database.client()
    await client.query('begin')
    await appendToStream(client, names, { streamId, events: noted(1) }, { key })
    await client.query('rollback')
    expect(await append(streamId, [5], key)).toMatchObject({ version: 1n, replayed: false })
  })

  test('waits for one with the same key whose outcome is open, even on another stream', async () => {
    const [key, streams] = [newKey(), [newStream(), newStream()] as const]
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin')
    await appendToStream(client, names, { streamId: streams[0], events: noted(1) }, { key })
    const second = append(streams[1], [1], key).catch((error: unknown) => error)
    await until('the second to wait', async () => {
      const { rows } = await database.pool.query(/* sql */ `
        select from pg_stat_activity
        where datname = current_database() and wait_event = 'advisory'`)
      return rows.length === 1
    })
    await client.query('commit')
    expect(await second).toMatchObject({ code: 'APPEND_KEY_REUSED' })
  })

  test('whose snapshot is older than the first is told to begin anew', async () => {
    const [streamId, key] = [newStream(), newKey()]
    const client = await database.client()
    onTestFinished(() => client.end())
    await client.query('begin isolation level repeatable read; select 1')
    await client.query('select count(*) from tidemark.events')
    await append(streamId, [1], key)
    await expect(
      appendToStream(client, names, { streamId: newStream(), events: noted(1) }, { key }),
    ).rejects.toMatchObject({ code: 'TRANSACTION_STALE' })
  })

  test.for(['', 'a\0b', 'x'.repeat(1_001), '\ud800'])(
    'refuses a key that cannot be kept',
    async (key) => {
      await expect(append(newStream(), [1], key)).rejects.toMatchObject({ code: 'APPEND_INVALID' })
      await expect(appendMany([[newStream(), [1]]], key)).rejects.toMatchObject({
        code: 'APPEND_INVALID',
      })
    },
  )

  test('may have any key that Postgres can keep', async () => {
    for (const key of ["'; drop table tidemark.events; --", '{"a":1}', '🗝 ключ', '\\x00', 'a"b']) {
      const streamId = newStream()
      await append(streamId, [1], key)
      expect(await append(streamId, [1], key)).toMatchObject({ replayed: true })
    }
  })
})

describe('an append to many streams with a key', () => {
  test('is carried out once, and gives the same versions and token', async () => {
    const [a, b, key] = [newStream(), newStream(), newKey()]
    await append(b, [0])
    const call = [
      [a, [1, 2], 'absent'],
      [b, [3], 1n],
    ] as const
    const first = await appendMany(call as never, key)
    await append(a, [9])
    const second = await appendMany(call as never, key)
    expect(first.map(({ version }) => version)).toEqual([2n, 2n])
    expect(second).toEqual(first.map((result: AppendResult) => ({ ...result, replayed: true })))
    expect(await readNumbers(database.pool, a)).toEqual([1, 2, 9])
    expect(await readNumbers(database.pool, b)).toEqual([0, 3])
  })
})

describe('a retry with the same event ids', () => {
  const withIds = (...numbers: number[]) => noted(...numbers).map((e) => ({ ...e, id: uuidV7() }))

  test.for<[Expectation, number]>([
    ['absent', 0],
    [0n, 0],
    [2n, 2],
  ])('at %s gets the result of the first', async ([expectation, before]) => {
    const streamId = newStream()
    if (before > 0)
      await append(
        streamId,
        Array.from({ length: before }, () => 0),
      )
    const call = { streamId, events: withIds(1, 2), expect: expectation }
    const first = await appendToStream(database.pool, names, call)
    await append(streamId, [3])
    expect(await appendToStream(database.pool, names, call)).toEqual({ ...first, replayed: true })
    const [many] = await appendToStreams(database.pool, names, [call])
    expect(many).toEqual({ ...first, replayed: true })
  })

  test('is a conflict when the events are others, more, fewer, or in another order', async () => {
    const streamId = newStream()
    const [first, second, third] = withIds(1, 2, 3)
    if (!(first && second && third)) throw new Error('three events')
    await appendToStream(database.pool, names, {
      streamId,
      events: [first, second],
      expect: 'absent',
    })
    for (const events of [[first, third], [first, second, third], [second, first], withIds(1, 2)]) {
      const call = { streamId, events, expect: 'absent' as const }
      await expect(appendToStream(database.pool, names, call)).rejects.toMatchObject({
        code: 'STREAM_VERSION_CONFLICT',
        details: { actualVersion: 2n },
      })
      await expect(appendToStreams(database.pool, names, [call])).rejects.toMatchObject({
        code: 'STREAM_VERSION_CONFLICT',
        details: { actualVersion: 2n },
      })
    }
  })

  test('to many streams gets the result of the first, and a conflict if one stream differs', async () => {
    const [a, b] = [newStream(), newStream()]
    const call = [
      { streamId: a, events: withIds(1, 2), expect: 'absent' },
      { streamId: b, events: withIds(3), expect: 0n },
    ] as const
    const first = await appendToStreams(database.pool, names, call)
    const second = await appendToStreams(database.pool, names, call)
    expect(second).toEqual(first.map((result) => ({ ...result, replayed: true })))
    await expect(
      appendToStreams(database.pool, names, [call[0], { ...call[1], events: withIds(3) }]),
    ).rejects.toMatchObject({ code: 'STREAM_VERSION_CONFLICT', details: { streamId: a } })
  })
})

test('an event over the limit is refused with its size, and one at the limit is not', async () => {
  const streamId = newStream()
  const put = (text: string, maxEventBytes?: number) =>
    appendToStream(
      database.pool,
      names,
      { streamId, events: [{ type: 'noted', schemaVersion: 1, data: text, metadata: {} }] },
      { maxEventBytes },
    )
  // Two quotes, and two braces of the metadata.
  const limit = 1_048_576
  await expect(put('x'.repeat(limit - 3))).rejects.toMatchObject({
    code: 'EVENT_TOO_LARGE',
    details: { type: 'noted', bytes: limit + 1, maxBytes: limit },
  })
  await expect(put('é'.repeat(limit / 2))).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' })
  expect(await put('x'.repeat(limit - 4))).toMatchObject({ version: 1n })
  await expect(put('12345', 8)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' })
  expect(await put('1234', 8)).toMatchObject({ version: 2n })
})
