import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { eventRegistry } from '../../src/core/event-registry.ts'
import { appendToStream } from '../../src/store/append.ts'
import {
  iterateStream,
  readLastEvent,
  readStream,
  readStreamPage,
  readStreamVersion,
  type StreamPageOptions,
} from '../../src/store/read-stream.ts'
import { useDatabase } from '../support/database.ts'
import { Noted, names, newStream, noted, registry } from './fixtures.ts'

const database = useDatabase()

async function streamOf(count: number): Promise<string> {
  const streamId = newStream()
  const events = noted(...Array.from({ length: count }, (_, n) => n + 1))
  await appendToStream(database.pool, names, { streamId, events })
  return streamId
}

async function readVersions(streamId: string, options = {}): Promise<bigint[]> {
  const events = await readStream(database.pool, names, registry, streamId, options)
  return events.map(({ version }) => version)
}

/** Reads page by page, as a client of HTTP does that knows nothing but the cursor. */
async function readPageVersions(streamId: string, options: StreamPageOptions): Promise<bigint[]> {
  const versions: bigint[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await readStreamPage(database.pool, names, registry, streamId, {
      ...options,
      cursor,
    })
    versions.push(...page.events.map(({ version }) => version))
    if (page.next === null) return versions
    cursor = page.next
  }
}

describe('a stream', () => {
  test('is read in the order of its versions', async () => {
    const streamId = await streamOf(120)
    const expected = Array.from({ length: 120 }, (_, n) => BigInt(n + 1))
    expect(await readVersions(streamId)).toEqual(expected)
  })

  test.each([
    [{}, [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n, 12n]],
    [{ maxEvents: 3 }, [1n, 2n, 3n]],
    [{ fromVersion: 9n }, [9n, 10n, 11n, 12n]],
    [{ fromVersion: 9n, maxEvents: 2 }, [9n, 10n]],
    [{ fromVersion: 12n, maxEvents: 2 }, [12n]],
    [{ fromVersion: 13n }, []],
    [{ fromVersion: 0n, maxEvents: 1 }, [1n]],
    [{ maxEvents: 0 }, []],
  ])('is read in pages: %o gives %o', async (options, expected) => {
    expect(await readVersions(await streamOf(12), options)).toEqual(expected)
  })

  test.each([
    [{ direction: 'backwards', maxEvents: 3 }, [12n, 11n, 10n]],
    [{ direction: 'backwards', fromVersion: 10n }, [12n, 11n, 10n]],
    [{ direction: 'backwards', toVersion: 2n }, [2n, 1n]],
    [{ direction: 'backwards', fromVersion: 4n, toVersion: 6n, maxEvents: 2 }, [6n, 5n]],
    [{ direction: 'forwards', fromVersion: 4n, toVersion: 6n, maxEvents: 2 }, [4n, 5n]],
    [{ toVersion: 0n }, []],
    [{ fromVersion: 5n, toVersion: 4n }, []],
    [{ toVersion: 2n ** 63n - 1n, fromVersion: 12n }, [12n]],
  ] as const)('is read in part and in either direction: %o gives %o', async (options, expected) => {
    expect(await readVersions(await streamOf(12), options)).toEqual(expected)
  })

  test('is the same read forwards, backwards, in pages and by the iterator', async () => {
    const streamId = await streamOf(30)
    const version = fc.bigInt({ min: 0n, max: 33n })
    const range = fc.record({ fromVersion: version, toVersion: version }, { requiredKeys: [] })
    const sizes = fc.integer({ min: 1, max: 40 })
    const direction = fc.constantFrom('forwards', 'backwards')
    await fc.assert(
      fc.asyncProperty(range, sizes, direction, async (bounds, maxEvents, order) => {
        const { fromVersion = 0n, toVersion = 99n } = bounds
        const all = Array.from({ length: 30 }, (_, n) => BigInt(n + 1))
        const within = all.filter((one) => one >= fromVersion && one <= toVersion)
        const expected = order === 'forwards' ? within : within.toReversed()
        const options = { ...bounds, direction: order }
        expect(await readVersions(streamId, options)).toEqual(expected)
        const paged = { ...options, maxEvents }
        expect(await readPageVersions(streamId, paged)).toEqual(expected)
        const { pool } = database
        const iterated = await Array.fromAsync(
          iterateStream(pool, names, registry, streamId, paged),
        )
        expect(iterated.map((one) => one.version)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('ends with a page whose `next` is null, which tells it from a page that is just full', async () => {
    const streamId = await streamOf(4)
    const read = (options: object) =>
      readStreamPage(database.pool, names, registry, streamId, options)
    expect((await read({ maxEvents: 3 })).next).toBe('4')
    expect((await read({ maxEvents: 3, cursor: '4' })).next).toBeNull()
    expect((await read({ maxEvents: 4 })).next).toBe('5')
    expect(await read({ maxEvents: 4, cursor: '5' })).toEqual({ events: [], next: null })
    expect((await read({ maxEvents: 4, toVersion: 4n })).next).toBeNull()
    expect((await read({ maxEvents: 4, direction: 'backwards' })).next).toBeNull()
    expect((await read({ maxEvents: 3, direction: 'backwards' })).next).toBe('1')
  })

  test('whose pages are read while it grows is read without a gap', async () => {
    const streamId = await streamOf(2)
    const first = await readStreamPage(database.pool, names, registry, streamId, { maxEvents: 2 })
    await appendToStream(database.pool, names, { streamId, events: noted(3, 4) })
    const second = await readStreamPage(database.pool, names, registry, streamId, {
      maxEvents: 2,
      cursor: first.next ?? '',
    })
    expect(second.events.map((one) => one.version)).toEqual([3n, 4n])
  })

  test('tells its last event, or that it has none', async () => {
    const last = (streamId: string) => readLastEvent(database.pool, names, registry, streamId)
    expect(await last(await streamOf(3))).toMatchObject({ version: 3n, data: { n: 3 } })
    expect(await last(newStream())).toBeUndefined()
  })

  test('is read by a transaction with what it has written itself, which has no position', async () => {
    const streamId = await streamOf(1)
    const client = await database.client()
    await client.query('begin')
    await appendToStream(client, names, { streamId, events: noted(2) })
    const inside = await readStream(database.pool, names, registry, streamId, { tx: client })
    expect(inside.map((one) => [one.version, one.position])).toEqual([
      [1n, null],
      [2n, null],
    ])
    expect(await readVersions(streamId)).toEqual([1n])
    await client.query('rollback')
    await client.end()
  })

  test.each([
    [{ fromVersion: -1n }, 'fromVersion'],
    [{ fromVersion: 2n ** 63n }, 'fromVersion'],
    [{ toVersion: -1n }, 'toVersion'],
    [{ fromVersion: 1 }, 'fromVersion'],
    [{ maxEvents: -1 }, 'maxEvents'],
    [{ maxEvents: 0.5 }, 'maxEvents'],
    [{ maxEvents: Number.NaN }, 'maxEvents'],
    [{ maxEvents: 100_001 }, 'maxEvents'],
    [{ direction: 'sideways' }, 'direction'],
    [{ cursor: 'abc' }, 'cursor'],
    [{ cursor: '99999999999999999999' }, 'cursor'],
    [{ maxEvents: 0, cursor: '1' }, 'maxEvents'],
  ])('is not read with %o', async (options, option) => {
    await expect(
      readStreamPage(database.pool, names, registry, newStream(), options as object),
    ).rejects.toMatchObject({ code: 'OPTION_INVALID', details: { option } })
  })

  test.each(['', 'a\0b', '\ud800', 'x'.repeat(1_001)])('cannot be named %j', async (streamId) => {
    const refused = { code: 'STREAM_ID_INVALID' }
    await expect(readVersions(streamId)).rejects.toMatchObject(refused)
    await expect(readStreamVersion(database.pool, names, streamId)).rejects.toMatchObject(refused)
  })

  test('has at most 1,000 events in a page unless told otherwise', async () => {
    const streamId = await streamOf(1_001)
    expect((await readVersions(streamId)).length).toBe(1_000)
    expect((await readVersions(streamId, { fromVersion: 1_001n })).length).toBe(1)
  })

  test('that does not exist is empty', async () => {
    expect(await readVersions(newStream())).toEqual([])
  })

  test('does not contain the events of a stream with a similar name', async () => {
    const streamId = await streamOf(1)
    await appendToStream(database.pool, names, { streamId: `${streamId}0`, events: noted(2) })
    await appendToStream(database.pool, names, {
      streamId: streamId.toUpperCase(),
      events: noted(2),
    })
    expect(await readVersions(streamId)).toEqual([1n])
  })

  test('tells how long it is, also past nine and past the largest safe page', async () => {
    expect(await readStreamVersion(database.pool, names, newStream())).toBe(0n)
    expect(await readStreamVersion(database.pool, names, await streamOf(1))).toBe(1n)
    expect(await readStreamVersion(database.pool, names, await streamOf(1_234))).toBe(1_234n)
  })

  test('is read in the newest shape of each event', async () => {
    const streamId = await streamOf(1)
    const Renumbered = Noted.v(2, z.object({ number: z.string() }), ({ n }) => ({
      number: `#${n}`,
    }))
    await appendToStream(database.pool, names, {
      streamId,
      events: [Renumbered({ number: '#2' })],
    })
    const events = await readStream(database.pool, names, eventRegistry([Renumbered]), streamId)
    expect(events).toMatchObject([
      { data: { number: '#1' }, schemaVersion: 1 },
      { data: { number: '#2' }, schemaVersion: 2 },
    ])
  })

  test('with an event of an unknown type is an error that names it', async () => {
    const streamId = await streamOf(1)
    const Other = event('other').v(1, z.object({}))
    await expect(
      readStream(database.pool, names, eventRegistry([Other]), streamId),
    ).rejects.toMatchObject({
      code: 'EVENT_TYPE_UNKNOWN',
      details: { type: 'noted', streamId, position: null },
    })
  })

  test('with an event of a newer schema version is an error that names it', async () => {
    const streamId = await streamOf(1)
    await appendToStream(database.pool, names, {
      streamId,
      events: [{ type: 'noted', schemaVersion: 9, data: {} }],
    })
    await expect(readStream(database.pool, names, registry, streamId)).rejects.toMatchObject({
      code: 'EVENT_SCHEMA_VERSION_UNKNOWN',
      details: { type: 'noted', schemaVersion: 9, newestKnown: 1, streamId },
    })
  })

  test('with unknown events is read with them as they are stored, if that is asked for', async () => {
    const streamId = await streamOf(1)
    const newer = { type: 'noted', schemaVersion: 9, data: { as: 'stored' } }
    const events = [newer, { ...newer, type: 'other' }]
    await appendToStream(database.pool, names, { streamId, events })
    const raw = { unknownEvents: 'raw' } as const
    expect(await readStream(database.pool, names, registry, streamId, raw)).toMatchObject([
      { type: 'noted', schemaVersion: 1, data: { n: 1 } },
      newer,
      { ...newer, type: 'other' },
    ])
  })
})
