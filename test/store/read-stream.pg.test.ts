import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { eventRegistry } from '../../src/core/event-registry.ts'
import { appendToStream } from '../../src/store/append.ts'
import { readStream, readStreamVersion } from '../../src/store/read-stream.ts'
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
})
