import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { eventRegistry } from '../../src/core/event-registry.ts'
import type { RecordedEvent, SequencedEvent } from '../../src/core/recorded-event.ts'

const Placed = event('order.placed')
  .v(1, z.object({ total: z.number() }))
  .v(2, z.object({ cents: z.int() }), (v1) => ({ cents: v1.total * 100 }))
const Paid = event('order.paid').v(1, z.object({}))

const registry = eventRegistry([Placed, Paid])

function recorded(overrides: Partial<RecordedEvent>): RecordedEvent {
  return {
    type: 'order.placed',
    data: { total: 42 },
    streamId: 'order-1',
    version: 3n,
    position: null,
    id: '018f3f7e-7b1c-7c3e-8000-000000000001',
    schemaVersion: 1,
    metadata: {},
    tags: [],
    recordedAt: new Date(0),
    ...overrides,
  }
}

describe('an event registry', () => {
  test('lists the types that it knows', () => {
    expect(registry.types).toEqual(['order.placed', 'order.paid'])
  })

  test('finds a definition by type', () => {
    expect(registry.definitionOf('order.paid')).toBe(Paid)
    expect(registry.definitionOf('order.shipped')).toBeUndefined()
    expect(registry.definitionOf('constructor')).toBeUndefined()
  })

  test('takes one definition twice, as when two projections share it', () => {
    expect(eventRegistry([Placed, Paid, Placed]).types).toEqual(['order.placed', 'order.paid'])
  })

  test('refuses two definitions of one type', () => {
    const Other = event('order.paid').v(1, z.object({}))
    expect(() => eventRegistry([Paid, Other])).toThrow(
      expect.objectContaining({
        code: 'DEFINITION_INVALID',
        message: expect.stringContaining('event "order.paid": two definitions have this type'),
        details: { name: 'order.paid', reason: expect.stringContaining('two definitions') },
      }),
    )
  })

  test('refuses an older and a newer definition of one type', () => {
    const old = event('counted').v(1, z.object({}))
    const extended = old.v(2, z.object({}), () => ({}))
    expect(() => eventRegistry([old, extended])).toThrow(
      expect.objectContaining({ code: 'DEFINITION_INVALID' }),
    )
  })
})

describe('upcasting a recorded event', () => {
  test('brings its data to the newest shape and keeps the rest', () => {
    const stored = recorded({ metadata: { userId: 'u' }, tags: ['t'] })
    expect(registry.upcast(stored)).toEqual({ ...stored, data: { cents: 4200 } })
  })

  test('tells the schema version that was stored', () => {
    expect(registry.upcast(recorded({})).schemaVersion).toBe(1)
  })

  test('returns an event of the newest version as it is', () => {
    const stored = recorded({ schemaVersion: 2, data: { cents: 1 } })
    expect(registry.upcast(stored)).toBe(stored)
  })

  test('keeps the type of a sequenced event', () => {
    expectTypeOf(registry.upcast<SequencedEvent>).returns.toEqualTypeOf<SequencedEvent>()
  })

  test.each([
    [null, 'not sequenced yet'],
    [17n, 'position 17'],
  ])('names type, stream and position %s of an unknown type', (position, place) => {
    const stored = recorded({ type: 'order.lost', position })
    expect(() => registry.upcast(stored)).toThrow(
      expect.objectContaining({
        code: 'EVENT_TYPE_UNKNOWN',
        message:
          'no definition for event type "order.lost" of ' +
          `stream "order-1" version 3 (${place}): add it to \`events\``,
        details: { type: 'order.lost', streamId: 'order-1', position },
      }),
    )
  })

  test.each([
    [null, 'not sequenced yet'],
    [17n, 'position 17'],
  ])('names type, stream and position %s of a newer schema version', (position, place) => {
    const stored = recorded({ schemaVersion: 5, position })
    expect(() => registry.upcast(stored)).toThrow(
      expect.objectContaining({
        code: 'EVENT_SCHEMA_VERSION_UNKNOWN',
        message:
          `event "order.placed" of stream "order-1" version 3 (${place}) has schema version 5, ` +
          'this code knows up to 2: deploy the newer definition',
        details: {
          type: 'order.placed',
          schemaVersion: 5,
          newestKnown: 2,
          streamId: 'order-1',
          position,
        },
      }),
    )
  })

  test.each([0, -1])('refuses a stored schema version of %d, which no code wrote', (bad) => {
    expect(() => registry.upcast(recorded({ schemaVersion: bad }))).toThrow(
      expect.objectContaining({ code: 'EVENT_SCHEMA_VERSION_UNKNOWN' }),
    )
  })
})

describe('a caller that takes unknown events raw', () => {
  const raw = { unknownEvents: 'raw' } as const

  test('gets an event of an unknown type as it is stored', () => {
    const stored = recorded({ type: 'order.lost', data: { why: 'storm' } })
    expect(registry.upcast(stored, raw)).toBe(stored)
  })

  test.each([5, 0])('gets one of the unknown schema version %d as it is stored', (version) => {
    const stored = recorded({ schemaVersion: version })
    expect(registry.upcast(stored, raw)).toBe(stored)
  })

  test('gets those that are known in their newest shape, as anybody', () => {
    expect(registry.upcast(recorded({}), raw).data).toEqual({ cents: 4200 })
    expect(registry.upcast(recorded({ type: 'order.paid', data: {} }), raw).data).toEqual({})
  })

  test('is one who said so', () => {
    const stored = recorded({ type: 'order.lost' })
    const unknownType = expect.objectContaining({ code: 'EVENT_TYPE_UNKNOWN' })
    for (const options of [undefined, {}, { unknownEvents: 'fail' } as const]) {
      expect(() => registry.upcast(stored, options)).toThrow(unknownType)
    }
  })
})
