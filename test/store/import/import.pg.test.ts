import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createStore,
  type ImportedEvent,
  type NewEvent,
  type RecordedEvent,
  type Store,
} from '../../../src/index.ts'
import { sequence } from '../../sql/log-fixture.ts'
import { useDatabase } from '../../support/database.ts'
import { anyText, described, Noted, plainSource, readImported } from './sources.ts'

const database = useDatabase()
let store: Store<typeof Noted>

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted] })
})

afterAll(() => store.close())

async function readAll(streamIds: ReadonlySet<string>): Promise<Map<string, RecordedEvent[]>> {
  const stored = new Map<string, RecordedEvent[]>()
  for (const id of streamIds) {
    stored.set(id, [...(await store.readStream(id, { unknownEvents: 'raw' }))])
  }
  return stored
}

function asStored({ type, schemaVersion, data, metadata = {}, tags = [], id }: NewEvent) {
  const content = { type, schemaVersion, data: JSON.parse(JSON.stringify(data)), metadata, tags }
  return id === undefined ? content : { ...content, id: id.toLowerCase() }
}

describe('an import', () => {
  test('brings in what the source has, in its order, with versions and times', async () => {
    const progress: bigint[] = []
    const result = await store.importEvents(plainSource('plain', 2_500), {
      key: 'plain',
      batchSize: 1_000,
      onProgress: ({ imported }) => progress.push(imported),
    })
    expect(result).toMatchObject({ imported: 2_500n, skipped: 0n })
    expect(progress).toEqual([1_000n, 2_000n, 2_500n])
    expect(await readImported(database.pool, 'plain')).toEqual(
      described(plainSource('plain', 2_500)),
    )
  })

  test('gets positions in the order of the source, and can be waited for', async () => {
    const { token } = await store.importEvents(plainSource('placed', 300), {
      key: 'placed',
      batchSize: 100,
    })
    await sequence(database.pool)
    if (token === undefined) throw new Error('an import of events has a token')
    const head = await store.waitFor(token)
    const { events } = await store.readLog({ after: head - 300n, maxEvents: 300 })
    expect(events.map(({ data }) => data.text)).toEqual(
      Array.from({ length: 300 }, (_, n) => `placed ${n}`),
    )
  })

  test('keeps any text, id, metadata, tag and time exactly', async () => {
    const anyImported = fc.record(
      {
        streamId: anyText.map((text) => `any-${text}`.slice(0, 200)),
        event: fc.record(
          {
            type: anyText.map((text) => `note.${text}`.slice(0, 200)),
            schemaVersion: fc.integer({ min: 1, max: 32_767 }),
            data: fc.record({ text: anyText }),
            id: fc.uuid(),
            metadata: fc.dictionary(anyText, anyText, { maxKeys: 3 }),
            tags: fc.array(anyText, { maxLength: 4 }),
          },
          { requiredKeys: ['type', 'schemaVersion', 'data'] },
        ),
        recordedAt: fc.date({
          min: new Date('0001-01-01'),
          max: new Date('9999-12-31T23:59:59.999Z'),
          noInvalidDate: true,
        }),
      },
      { requiredKeys: ['streamId', 'event'] },
    )
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyImported, { minLength: 1, maxLength: 30 }), async (events) => {
        run += 1
        const own = events.map((given) => ({ ...given, streamId: `${run}${given.streamId}` }))
        const before = Date.now()
        await store.importEvents(own, { key: `any ${run}`, batchSize: 7 })
        const after = Date.now()
        const stored = await readAll(new Set(own.map(({ streamId }) => streamId)))
        for (const { streamId, event, recordedAt } of own) {
          const found = stored.get(streamId)?.shift()
          expect(found).toMatchObject(asStored(event))
          const at = found?.recordedAt.getTime() ?? 0
          // The server's clock is this machine's.
          const bounds = recordedAt === undefined ? [before, after] : [+recordedAt, +recordedAt]
          expect(at).toBeGreaterThanOrEqual(bounds[0] ?? 0)
          expect(at).toBeLessThanOrEqual(bounds[1] ?? 0)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('goes on behind what a stream holds, with versions or without', async () => {
    await store.append('behind-1', [Noted({ text: 'first' }), Noted({ text: 'second' })])
    const source: ImportedEvent[] = [
      { streamId: 'behind-1', event: Noted({ text: 'third' }) },
      { streamId: 'behind-2', event: Noted({ text: 'other' }) },
      { streamId: 'behind-1', event: Noted({ text: 'fourth' }), version: 4n },
      { streamId: 'behind-1', event: Noted({ text: 'fifth' }) },
    ]
    await store.importEvents(source, { key: 'behind' })
    const events = await store.readStream('behind-1')
    expect(events.map(({ version, data }) => `${version} ${data.text}`)).toEqual([
      '1 first',
      '2 second',
      '3 third',
      '4 fourth',
      '5 fifth',
    ])
  })

  test('of nothing is done at once', async () => {
    const result = await store.importEvents([], { key: 'nothing' })
    expect(result).toMatchObject({ imported: 0n, skipped: 0n, token: undefined })
  })

  test('is seen by conditions on its tags', async () => {
    const query = { tags: ['source:seen'] }
    const { token } = await store.readQuery(query)
    await store.importEvents(plainSource('seen', 3), { key: 'seen' })
    await expect(
      store.append('unseen-1', Noted({ text: 'late' }), { condition: { query, after: token } }),
    ).rejects.toMatchObject({ code: 'APPEND_CONDITION_FAILED' })
    expect((await store.readQuery(query)).events).toHaveLength(3)
  })

  test('of more streams and tags than the server has locks is carried out', async () => {
    function* source(): Generator<ImportedEvent> {
      for (let n = 0; n < 12_000; n += 1) {
        yield {
          streamId: `wide-${n}`,
          version: 1n,
          event: Noted({ text: '' }, { tags: [`wide:${n}`, `narrow:${n % 9}`] }),
        }
      }
    }
    const { imported } = await store.importEvents(source(), { key: 'wide' })
    expect(imported).toBe(12_000n)
    expect((await store.readQuery({ tags: ['wide:11999'] })).events).toHaveLength(1)
  })

  test('reads its source a batch ahead at most, and lets go of it when it fails', async () => {
    let read = 0
    let isClosed = false
    async function* endless(): AsyncGenerator<ImportedEvent> {
      try {
        for (;;) {
          read += 1
          const streamId = `endless-${read}`
          yield { streamId, event: Noted({ text: '' }), version: read === 555 ? 9n : 1n }
        }
      } finally {
        isClosed = true
      }
    }
    const importing = store.importEvents(endless(), { key: 'endless', batchSize: 100 })
    await expect(importing).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      details: { event: 555n },
    })
    expect(read).toBeLessThanOrEqual(701)
    await new Promise(setImmediate)
    expect(isClosed).toBe(true)
    expect(await readImported(database.pool, 'endless')).toHaveLength(500)
  })
})
