import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStore, type ImportedEvent, type Store } from '../../../src/index.ts'
import { useDatabase } from '../../support/database.ts'
import { Noted, plainSource, readImported } from './sources.ts'

const database = useDatabase()
let store: Store<typeof Noted>
let keys = 0

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted], maxEventBytes: 10_000 })
})

afterAll(() => store.close())

function newKey(): string {
  keys += 1
  return `refused ${keys}`
}

function note(streamId: string, more: Partial<ImportedEvent> = {}): ImportedEvent {
  return { streamId, event: Noted({ text: 'note' }), ...more }
}

function raw(streamId: string, event: object): ImportedEvent {
  return { streamId, event: { type: 'note.noted', schemaVersion: 1, data: {}, ...event } }
}

describe('an event is refused by its number, and nothing of its batch is written:', () => {
  const untyped = (given: unknown) => given as ImportedEvent
  test.for<[string, (stream: string) => readonly ImportedEvent[], RegExp]>([
    [
      'a version after a hole',
      (s) => [note(s, { version: 2n })],
      /is version 2 of stream ".*", which is at version 0/,
    ],
    [
      'a version that is in the log',
      (s) => [note(`${s}-held`, { version: 2n })],
      /is version 2 of stream ".*", which is at version 2/,
    ],
    [
      'a version twice',
      (s) => [note(s, { version: 1n }), note(s, { version: 1n })],
      /is version 1 of stream ".*", which is at version 1/,
    ],
    [
      'versions out of order',
      (s) => [note(s, { version: 1n }), note(s, { version: 3n }), note(s, { version: 2n })],
      /is version 3 of stream ".*", which is at version 1/,
    ],
    [
      'a version behind one that was given by us',
      (s) => [note(s), note(s, { version: 3n })],
      /is version 3 of stream ".*", which is at version 1/,
    ],
    [
      'version zero',
      (s) => [note(s, { version: 0n })],
      /has version 0, which is not a bigint from 1n/,
    ],
    [
      'a version that is no bigint',
      (s) => [untyped({ ...note(s), version: 1 })],
      /has version 1, which is not a bigint/,
    ],
    [
      'an invalid date',
      (s) => [note(s, { recordedAt: new Date('no') })],
      /`recordedAt` that is not a valid Date/,
    ],
    [
      'a date that is text',
      (s) => [untyped({ ...note(s), recordedAt: '2020-01-01' })],
      /`recordedAt` that is not a valid Date/,
    ],
    [
      'a date out of range',
      (s) => [note(s, { recordedAt: new Date(8.64e15) })],
      /in the year 275760/,
    ],
    ['an empty stream id', () => [note('')], /a stream id is empty/],
    ['no stream id', () => [untyped({ event: Noted({ text: '' }) })], /has no `streamId`/],
    ['no event', (s) => [untyped({ streamId: s })], /has no `event`/],
    ['an id that is no UUID', (s) => [raw(s, { id: 'x' })], /has an id that is not a UUID/],
    ['no data', (s) => [raw(s, { data: undefined })], /is undefined, which JSON cannot hold/],
    ['an empty type', (s) => [raw(s, { type: '' })], /type of event "" is empty/],
    [
      'too large an event',
      (s) => [raw(s, { data: 'x'.repeat(10_001) })],
      /has 10005 bytes, at most 10000/,
    ],
    [
      'text that Postgres cannot store',
      (s) => [raw(s, { data: { text: 'a\0b' } })],
      /is refused by the server: .*Unicode escape/,
    ],
  ])('%s', async ([, make, message], { task }) => {
    const stream = `refused-${task.id}`
    await store.append(`${stream}-held`, [Noted({ text: '1' }), Noted({ text: '2' })])
    const faulty = make(stream)
    const at = BigInt(5 + faulty.findIndex((_, index) => index === faultOf(task.name)) + 1)
    const source = [...plainSource(stream, 5), ...faulty, ...plainSource(`${stream}-more`, 5)]
    const error = await store.importEvents(source, { key: newKey() }).catch((e: unknown) => e)
    expect(error).toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringMatching(message),
      details: { event: at },
    })
    const left = await readImported(database.pool, stream)
    expect(left).toHaveLength(2)
  })

  /** Which of the faulty events is at fault. */
  function faultOf(name: string): number {
    return /twice|out of order|given by us/.test(name) ? 1 : 0
  }
})

describe('an import is refused', () => {
  test('when the key belongs to one of another source', async () => {
    const key = newKey()
    await store.importEvents(plainSource('first', 20), { key })
    const other = store.importEvents(plainSource('second', 40), { key })
    await expect(other).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringContaining('event 20 of the source is not the one'),
    })
    expect(await readImported(database.pool, 'second')).toEqual([])
  })

  test('when its source has become shorter', async () => {
    const key = newKey()
    await store.importEvents(plainSource('long', 20), { key })
    await expect(store.importEvents(plainSource('long', 19), { key })).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringContaining('the source has 19 events, but 20 were imported'),
    })
  })

  test.for([
    [{ key: '' }, 'APPEND_INVALID'],
    [{ key: 'a\0b' }, 'APPEND_INVALID'],
    [{}, 'IMPORT_INVALID'],
    [{ key: 'k', batchSize: 0 }, 'OPTION_INVALID'],
    [{ key: 'k', batchSize: 1.5 }, 'OPTION_INVALID'],
  ] as const)('for options %o', async ([options, code]) => {
    const importing = store.importEvents([], options as { key: string })
    await expect(importing).rejects.toMatchObject({ code })
  })

  test('in a schema without a log', async () => {
    const { importEvents } = await import('../../../src/store/import/import-events.ts')
    const { logNames } = await import('../../../src/db/log-names.ts')
    const context = { connectionString: database.connectionString, names: logNames('nowhere') }
    await expect(importEvents(context, [], { key: 'k' })).rejects.toMatchObject({
      code: 'SCHEMA_NOT_INSTALLED',
    })
  })

  test('with the number of the event that its source could not make', async () => {
    function* failing(): Generator<ImportedEvent> {
      yield* plainSource('unmade', 5)
      const text = 5 as unknown as string
      yield { streamId: 'unmade-0', event: Noted({ text }) }
    }
    await expect(store.importEvents(failing(), { key: newKey() })).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringContaining('event 6 of the import cannot be made: '),
      cause: { code: 'EVENT_DATA_INVALID' },
    })
  })

  test('with what its source throws, keeping what was imported before', async () => {
    function* failing(): Generator<ImportedEvent> {
      yield* plainSource('failing', 25)
      throw new Error('the disk is gone')
    }
    const importing = store.importEvents(failing(), { key: newKey(), batchSize: 10 })
    await expect(importing).rejects.toThrow('the disk is gone')
    expect(await readImported(database.pool, 'failing')).toHaveLength(20)
  })
})
