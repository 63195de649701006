import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NewEvent } from '../../src/core/event.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { useDatabase } from '../support/database.ts'
import { countEvents, newStream, noted, readStored, waysToAppend } from './fixtures.ts'

const database = useDatabase()

const nul = String.fromCharCode(0)
const highHalf = '\ud83d'
const lowHalf = '\ude00'

/** What has broken one program or another. */
const awkward = [
  `it's`,
  `''`,
  `"quoted"`,
  `back\\slash`,
  `\\`,
  `\\"`,
  `$1`,
  `$$`,
  `{a,b}`,
  `{}`,
  `NULL`,
  `null`,
  `,`,
  ` leading and trailing `,
  `%s %I %`,
  `'); drop table tidemark.events; --`,
  `' || (select pg_sleep(10)) || '`,
  `'tidemark.events'::regclass`,
  `{"a": "b"}`,
  `\\u0000`,
  `line\nbreak\r\n\ttab\b\f\v`,
  `${String.fromCharCode(1)}${String.fromCharCode(31)}${String.fromCharCode(127)}`,
  `é ü ß 漢字 नमस्ते`,
  `e\u0301 is not \u00e9`,
  `👩‍👩‍👧 ${highHalf}${lowHalf}`,
  `\u202eright to left\u2028\u2029\ufeff\ufffd\uffff`,
]

const awkwardEvent: NewEvent = {
  type: awkward.join('|'),
  schemaVersion: 1,
  data: { list: awkward, ...Object.fromEntries(awkward.map((text) => [text, text])) },
  metadata: { list: awkward, ...Object.fromEntries(awkward.map((text) => [text, text])) },
  tags: ['', ...awkward],
}

describe.each(waysToAppend)('%s', (_, append) => {
  test.each(awkward)('keeps %j as it is in a stream id', async (text) => {
    const streamId = `${newStream()}${text}`
    await append(database.pool, { streamId, events: noted(1) })
    const [stored] = await readStored(database.pool, streamId)
    expect(stored?.streamId).toBe(streamId)
  })

  test('keeps awkward text as it is in type, data, metadata and tags', async () => {
    const streamId = newStream()
    await append(database.pool, { streamId, events: [awkwardEvent, ...noted(1)] })
    const [stored] = await readStored(database.pool, streamId)
    expect(stored).toMatchObject(awkwardEvent)
    expect(stored?.tags).toEqual(awkwardEvent.tags)
  })

  test('keeps any text and any JSON as it is', async () => {
    const text = fc.string({ unit: 'binary' }).map((string) => string.replaceAll(nul, ''))
    const json = fc.jsonValue({ stringUnit: 'binary' }).map(withoutNul)
    const object = fc.dictionary(text, json).map((value) => withoutNul(value) as JsonObject)
    const event = fc.record({
      type: text.filter((type) => type.trim() !== ''),
      schemaVersion: fc.integer({ min: 1, max: 32_767 }),
      data: json,
      metadata: object,
      tags: fc.array(text, { maxLength: 4 }),
      id: fc.uuid(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 1, maxLength: 5 }),
        text,
        async (events, id) => {
          const streamId = `${newStream()}${id}`
          await append(database.pool, { streamId, events })
          const stored = await readStored(database.pool, streamId)
          expect(
            stored.map(({ type, schemaVersion, data, metadata, tags, id: eventId }) => {
              return { type, schemaVersion, data, metadata, tags, id: eventId }
            }),
          ).toEqual(events)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('takes a stream id of 1,000 bytes', async () => {
    // Random, because the server compresses what it puts into an index.
    const random = randomBytes(750).toString('base64')
    for (const streamId of [random, `${randomBytes(3).toString('base64')}${'é'.repeat(498)}`]) {
      expect(Buffer.byteLength(streamId)).toBe(1_000)
      await append(database.pool, { streamId, events: noted(1) })
      expect(await readStored(database.pool, streamId)).toHaveLength(1)
    }
  })

  test.each<[string, string, RegExp]>([
    ['is empty', '', /^is empty$/],
    ['has 1,001 bytes', 'a'.repeat(1_001), /^is over 1000 bytes long$/],
    ['has 1,002 bytes in 334 characters', '漢'.repeat(334), /^is over 1000 bytes long$/],
    ['contains U+0000', `a${nul}b`, /U\+0000/],
    ['contains half a surrogate pair', `a${highHalf}b`, /surrogate/],
    ['ends with half a surrogate pair', `a${highHalf}`, /surrogate/],
    ['has a surrogate pair the wrong way round', `${lowHalf}${highHalf}`, /surrogate/],
  ])('refuses a stream id that %s', async (_, streamId, reason) => {
    const count = await countEvents(database.pool)
    await expect(append(database.pool, { streamId, events: noted(1) })).rejects.toMatchObject({
      code: 'STREAM_ID_INVALID',
      message: expect.stringMatching(/^a stream id /),
      details: { streamId: streamId.slice(0, 100), reason: expect.stringMatching(reason) },
    })
    expect(await countEvents(database.pool)).toBe(count)
  })

  const event = { type: 'noted', schemaVersion: 1, data: {} }
  test.each<[string, NewEvent]>([
    ['U+0000 in its type', { ...event, type: `a${nul}` }],
    ['half a surrogate pair in its type', { ...event, type: `a${highHalf}` }],
    ['an empty type', { ...event, type: '' }],
    ['U+0000 in a tag', { ...event, tags: [`a${nul}`] }],
    ['half a surrogate pair in a tag', { ...event, tags: [`a${highHalf}`] }],
    ['U+0000 in its data', { ...event, data: { a: `a${nul}` } }],
    ['U+0000 in a key of its data', { ...event, data: { [`a${nul}`]: 1 } }],
    ['half a surrogate pair in its data', { ...event, data: { a: `a${highHalf}` } }],
    ['the other half in its data', { ...event, data: { a: `${lowHalf}a` } }],
    ['half a surrogate pair in a key of its data', { ...event, data: { [highHalf]: 1 } }],
    ['U+0000 in its metadata', { ...event, metadata: { a: nul } }],
    ['half a surrogate pair in its metadata', { ...event, metadata: { a: highHalf } }],
    ['an id that is no UUID', { ...event, id: 'e-1' }],
    ['an empty id', { ...event, id: '' }],
    ['no schema version', { ...event, schemaVersion: Number.NaN }],
    ['half a schema version', { ...event, schemaVersion: 1.5 }],
    ['schema version 0', { ...event, schemaVersion: 0 }],
    ['a negative schema version', { ...event, schemaVersion: -1 }],
    ['a schema version over 32,767', { ...event, schemaVersion: 32_768 }],
    ['no data', { ...event, data: undefined }],
    ['a function as data', { ...event, data: () => 1 }],
    ['a symbol as data', { ...event, data: Symbol('a') }],
    ['a bigint in its data', { ...event, data: { a: 1n } }],
    ['data that contains itself', { ...event, data: cyclic() }],
    ['data that cannot be read', { ...event, data: throwing() }],
    ['metadata that contains itself', { ...event, metadata: cyclic() }],
    ['a bigint in its metadata', { ...event, metadata: { a: 1n } as never }],
  ])('refuses an event with %s, and writes nothing', async (_, refused) => {
    const streamId = newStream()
    const count = await countEvents(database.pool)
    await expect(
      append(database.pool, { streamId, events: [...noted(1), refused] }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(EVENT_DATA_INVALID|APPEND_INVALID)$/),
    })
    expect(await countEvents(database.pool)).toBe(count)
  })

  test('does not show the data of an event that it refuses', async () => {
    const secret = 'hunter2'
    for (const data of [
      { secret, bad: highHalf },
      { secret, bad: nul },
      { secret, bad: 1n },
    ]) {
      const error = await append(database.pool, {
        streamId: newStream(),
        events: [{ type: 'noted', schemaVersion: 1, data }],
      }).catch((reason) => reason)
      expect(error.name).toBe('TidemarkError')
      expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain(secret)
    }
  })
})

/** JSON knows no U+0000 in Postgres, and no minus zero anywhere. */
function withoutNul(value: unknown): unknown {
  const text = JSON.stringify(value)
  return JSON.parse(text.replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1'))
}

function cyclic(): JsonObject {
  const value: Record<string, JsonObject> = {}
  value.self = value
  return value
}

function throwing(): object {
  return {
    get a() {
      throw new Error('not now')
    },
  }
}
