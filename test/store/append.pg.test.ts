import { randomUUID } from 'node:crypto'
import { validate as isUuid, version as uuidVersion } from 'uuid'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseToken } from '../../src/core/token.ts'
import { logNames } from '../../src/db/log-names.ts'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import type { Expectation } from '../../src/store/check-append.ts'
import { useDatabase } from '../support/database.ts'
import {
  countEvents,
  names,
  newStream,
  noted,
  readNumbers,
  readStored,
  waysToAppend,
} from './fixtures.ts'

const database = useDatabase()

describe.each(waysToAppend)('%s', (_, append) => {
  describe('holds the writer to what it expects:', () => {
    test.each<[Expectation | undefined, number]>([
      [undefined, 0],
      [undefined, 2],
      ['any', 0],
      ['any', 2],
      ['absent', 0],
      ['present', 2],
      [0n, 0],
      [2n, 2],
    ])('%s is right for a stream at version %d', async (expect_, before) => {
      const streamId = newStream()
      if (before > 0) await append(database.pool, { streamId, events: noted(1, 2) })
      const expectation = expect_ === undefined ? {} : { expect: expect_ }
      const result = await append(database.pool, { streamId, events: noted(7, 8), ...expectation })

      expect(result).toEqual({
        streamId,
        version: BigInt(before + 2),
        token: expect.any(String),
        replayed: false,
      })
      expect(await readNumbers(database.pool, streamId)).toEqual(before > 0 ? [1, 2, 7, 8] : [7, 8])
    })

    test.each<[Expectation, number]>([
      ['absent', 2],
      ['present', 0],
      [0n, 2],
      [1n, 0],
      [1n, 2],
      [3n, 2],
      [2n ** 63n - 1n, 2],
    ])('%s is a conflict for a stream at version %d', async (expectation, before) => {
      const streamId = newStream()
      if (before > 0) await append(database.pool, { streamId, events: noted(1, 2) })
      const count = await countEvents(database.pool)

      await expect(
        append(database.pool, { streamId, events: noted(7), expect: expectation }),
      ).rejects.toMatchObject({
        code: 'STREAM_VERSION_CONFLICT',
        message:
          `stream "${streamId}" is at version ${before}, expected ${expectation}: ` +
          'read it again and decide anew',
        details: {
          streamId,
          expectedVersion: String(expectation),
          actualVersion: BigInt(before),
        },
      })
      expect(await countEvents(database.pool)).toBe(count)
    })

    test('a negative version is refused', async () => {
      const streamId = newStream()
      await expect(
        append(database.pool, { streamId, events: noted(1), expect: -1n }),
      ).rejects.toMatchObject({ code: 'APPEND_INVALID', details: { reason: expect.any(String) } })
    })

    test('a version that no stream can have is refused', async () => {
      const streamId = newStream()
      await expect(
        append(database.pool, { streamId, events: noted(1), expect: 2n ** 63n }),
      ).rejects.toMatchObject({
        code: expect.stringMatching(/^(STREAM_VERSION_CONFLICT|APPEND_INVALID)$/),
      })
    })

    test('a word that is no expectation is refused', async () => {
      const streamId = newStream()
      await expect(
        append(database.pool, { streamId, events: noted(1), expect: 'none' as 'any' }),
      ).rejects.toMatchObject({ code: 'APPEND_INVALID' })
    })
  })

  test('gives a token that names its transaction', async () => {
    const streamId = newStream()
    const { token } = await append(database.pool, { streamId, events: noted(1) })
    const { rows } = await database.pool.query(
      'select incarnation, transaction_id from tidemark.events where stream_id = $1',
      [streamId],
    )
    const { incarnation, transactionId } = parseToken(token)
    expect(rows).toEqual([{ incarnation, transaction_id: transactionId.toString() }])
  })

  test('stores everything that an event has', async () => {
    const streamId = newStream()
    const full = {
      type: 'noted',
      schemaVersion: 3,
      data: { n: 1 },
      id: '018f3f7e-7b1c-7c3e-8000-0000000000aa',
      metadata: { correlationId: 'c-1', nested: { deep: [1, null] } },
      tags: ['customer:7', 'eu'],
    }
    const before = Date.now()
    await append(database.pool, { streamId, events: [full] })
    expect(await readStored(database.pool, streamId)).toEqual([
      { ...full, streamId, version: 1n, position: null, recordedAt: expect.any(Date) },
    ])
    const [stored] = await readStored(database.pool, streamId)
    expect(Math.abs((stored?.recordedAt.getTime() ?? 0) - before)).toBeLessThan(60_000)
  })

  test('gives an event without an id one of version 7, and no metadata or tags', async () => {
    const streamId = newStream()
    await append(database.pool, { streamId, events: noted(1, 2) })
    const stored = await readStored(database.pool, streamId)
    for (const { id, metadata, tags } of stored) {
      expect([isUuid(id), uuidVersion(id)]).toEqual([true, 7])
      expect([metadata, tags]).toEqual([{}, []])
    }
    expect(new Set(stored.map(({ id }) => id)).size).toBe(2)
  })

  test('keeps the order of the events, also of a thousand', async () => {
    const streamId = newStream()
    const numbers = Array.from({ length: 1_000 }, (_, n) => n)
    const { version } = await append(database.pool, { streamId, events: noted(...numbers) })
    expect(version).toBe(1_000n)
    expect(await readNumbers(database.pool, streamId)).toEqual(numbers)
  })

  test('passes on what a constraint of the user refuses', async () => {
    const streamId = newStream()
    const twice = { type: 'unique', schemaVersion: 1, data: {}, id: randomUUID() }
    await database.pool.query(
      `create unique index own_rule on tidemark.events (event_id) where type = 'unique'`,
    )
    onTestFinished(async () => {
      await database.pool.query('drop index tidemark.own_rule')
    })
    await append(database.pool, { streamId, events: [twice] })
    await expect(append(database.pool, { streamId, events: [twice] })).rejects.toMatchObject({
      code: '23505',
      constraint: 'own_rule',
    })
  })

  test('refuses an append of nothing', async () => {
    const streamId = newStream()
    await expect(append(database.pool, { streamId, events: [] })).rejects.toMatchObject({
      code: 'APPEND_INVALID',
      message: `invalid append: no events for stream "${streamId}"`,
    })
  })

  test('says when there is no log in the schema', async () => {
    const elsewhere = logNames('elsewhere')
    const appended = { streamId: 'a-1', events: noted(1) }
    const refused = { code: 'SCHEMA_NOT_INSTALLED', details: { schema: 'elsewhere' } }
    await expect(appendToStream(database.pool, elsewhere, appended)).rejects.toMatchObject(refused)
    await expect(appendToStreams(database.pool, elsewhere, [appended])).rejects.toMatchObject(
      refused,
    )
  })
})

describe('an append to many streams', () => {
  test('tells the version of each, in the order of the call, with one token', async () => {
    const [a, b, c] = [newStream(), newStream(), newStream()]
    await appendToStream(database.pool, names, { streamId: b, events: noted(0) })
    const results = await appendToStreams(database.pool, names, [
      { streamId: c, events: noted(1) },
      { streamId: a, events: noted(2, 3), expect: 'absent' },
      { streamId: b, events: noted(4, 5, 6), expect: 1n },
    ])
    expect(results.map(({ streamId, version }) => [streamId, version])).toEqual([
      [c, 1n],
      [a, 2n],
      [b, 4n],
    ])
    expect(new Set(results.map(({ token }) => token)).size).toBe(1)
    expect(await readNumbers(database.pool, b)).toEqual([0, 4, 5, 6])
  })

  test('inserts the events in the order of the call, which becomes that of positions', async () => {
    const [a, b, c] = [newStream(), newStream(), newStream()]
    const [first] = await appendToStreams(database.pool, names, [
      { streamId: b, events: noted(1, 2) },
      { streamId: c, events: noted(3) },
      { streamId: a, events: noted(4, 5) },
    ])
    const { rows } = await database.pool.query(
      `select (data ->> 'n')::integer as n, stream_id
      from tidemark.events where transaction_id = $1 order by insert_id`,
      [parseToken(first?.token ?? '').transactionId],
    )
    expect(rows).toEqual([
      { n: 1, stream_id: b },
      { n: 2, stream_id: b },
      { n: 3, stream_id: c },
      { n: 4, stream_id: a },
      { n: 5, stream_id: a },
    ])
  })

  test('writes nothing when one is not as expected, and names the first of those', async () => {
    const [a, b, c] = [newStream(), newStream(), newStream()]
    await appendToStream(database.pool, names, { streamId: b, events: noted(1) })
    const count = await countEvents(database.pool)
    await expect(
      appendToStreams(database.pool, names, [
        { streamId: a, events: noted(2) },
        { streamId: b, events: noted(3), expect: 'absent' },
        { streamId: c, events: noted(4), expect: 'present' },
      ]),
    ).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
      details: { streamId: b, expectedVersion: 'absent', actualVersion: 1n },
    })
    expect(await countEvents(database.pool)).toBe(count)
  })

  test('writes nothing when one event is refused', async () => {
    const [a, b] = [newStream(), newStream()]
    const count = await countEvents(database.pool)
    const refused = { type: 'noted', schemaVersion: 1, data: { n: 1 }, id: 'not a UUID' }
    await expect(
      appendToStreams(database.pool, names, [
        { streamId: a, events: noted(1) },
        { streamId: b, events: [refused] },
      ]),
    ).rejects.toMatchObject({ code: 'APPEND_INVALID' })
    expect(await countEvents(database.pool)).toBe(count)
  })

  test('refuses a stream that is named twice, and no stream', async () => {
    const streamId = newStream()
    const once = { streamId, events: noted(1) }
    await expect(appendToStreams(database.pool, names, [once, once])).rejects.toMatchObject({
      code: 'APPEND_INVALID',
      message: `invalid append: stream "${streamId}" is named twice in one append`,
    })
    await expect(appendToStreams(database.pool, names, [])).rejects.toMatchObject({
      code: 'APPEND_INVALID',
      message: 'invalid append: no streams',
    })
    expect(await readNumbers(database.pool, streamId)).toEqual([])
  })

  test('refuses a stream without events among others', async () => {
    const [a, b] = [newStream(), newStream()]
    await expect(
      appendToStreams(database.pool, names, [
        { streamId: a, events: noted(1) },
        { streamId: b, events: [] },
      ]),
    ).rejects.toMatchObject({ code: 'APPEND_INVALID' })
    expect(await readNumbers(database.pool, a)).toEqual([])
  })

  test.each([1, 256, 257, 300, 5_000])('takes %d streams in one call', async (count) => {
    const streams = Array.from({ length: count }, () => newStream(`many-${count}`))
    const call = (expectation: Expectation) =>
      appendToStreams(
        database.pool,
        names,
        streams.map((streamId, n) => ({ streamId, events: noted(n), expect: expectation })),
      )
    const first = await call('absent')
    expect(first.map(({ streamId }) => streamId)).toEqual(streams)
    expect(new Set(first.map(({ version }) => version))).toEqual(new Set([1n]))
    const second = await call(1n)
    expect(new Set(second.map(({ version }) => version))).toEqual(new Set([2n]))
    await expect(call(1n)).rejects.toMatchObject({
      code: 'STREAM_VERSION_CONFLICT',
      details: { streamId: streams[0], actualVersion: 2n },
    })

    const { rows } = await database.pool.query(
      `select count(*)::integer as events, count(distinct stream_id)::integer as streams,
        bool_and((data ->> 'n')::bigint = array_position($1, stream_id) - 1) as own_data
      from tidemark.events where stream_id = any ($1)`,
      [streams],
    )
    expect(rows).toEqual([{ events: 2 * count, streams: count, own_data: true }])
  })
})
