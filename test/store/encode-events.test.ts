import { describe, expect, test } from 'vitest'
import { encodeEvents, encodePlaces } from '../../src/store/encode-events.ts'

const event = { type: 'noted', schemaVersion: 1, data: { n: 1 } }
const ids = () => {
  let n = 0
  return () => {
    n += 1
    return `id-${n}`
  }
}

describe('encodeEvents', () => {
  test('gives a column each, and an id only to events without one', () => {
    const events = [event, { ...event, id: 'mine', metadata: { a: 1 } }, event]
    expect(encodeEvents(events, { newId: ids() })).toEqual([
      ['id-1', 'mine', 'id-2'],
      ['noted', 'noted', 'noted'],
      [1, 1, 1],
      ['{"n":1}', '{"n":1}', '{"n":1}'],
      ['{}', '{"a":1}', '{}'],
      null,
    ])
  })

  test.each([
    ['no tags at all', [undefined, undefined], null],
    ['only empty lists', [[], undefined], null],
    ['some tags', [['a'], undefined, []], ['{"a"}', null, null]],
    ['an empty tag', [['']], ['{""}']],
    ['the word null', [['NULL', 'null']], ['{"NULL","null"}']],
    ['separators', [['a,b', '{c}', ' d ']], ['{"a,b","{c}"," d "}']],
    ['quotes and backslashes', [['"', '\\', '\\"']], ['{"\\"","\\\\","\\\\\\""}']],
  ])('writes %s as texts of arrays', (_, lists, expected) => {
    const events = lists.map((tags) => (tags === undefined ? event : { ...event, tags }))
    expect(encodeEvents(events, { newId: ids() })[5]).toEqual(expected)
  })

  test.each([
    ['undefined', undefined, 'is undefined, which JSON cannot hold'],
    ['a function', () => 1, 'is undefined, which JSON cannot hold'],
    ['a bigint', 1n, expect.stringMatching(/^cannot be written as JSON: .*BigInt/)],
  ])('refuses %s, and says where', (_, value, message) => {
    expect(() => encodeEvents([{ ...event, data: value }], { newId: ids() })).toThrow(
      expect.objectContaining({
        code: 'EVENT_DATA_INVALID',
        details: { type: 'noted', schemaVersion: 1, issues: [{ path: 'data', message }] },
      }),
    )
  })

  test('tells metadata from data', () => {
    const refused = { ...event, metadata: { a: 1n } as never }
    expect(() => encodeEvents([refused], { newId: ids() })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^metadata of event "noted" cannot be written as JSON/),
        details: expect.objectContaining({
          issues: [{ path: 'metadata', message: expect.any(String) }],
        }),
      }),
    )
  })
})

describe('encodePlaces', () => {
  test('says for each event which stream it is for and which of its events it is', () => {
    expect(
      encodePlaces([
        { streamId: 'a', events: [event, event] },
        { streamId: 'b', events: [event] },
        { streamId: 'c', events: [event, event] },
      ]),
    ).toEqual([
      [1, 1, 2, 3, 3],
      ['a', 'a', 'b', 'c', 'c'],
      [1, 2, 1, 1, 2],
    ])
  })
})
