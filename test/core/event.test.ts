import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'

const OrderPlaced = event('order.placed')
  .v(1, z.object({ orderId: z.string(), total: z.number() }))
  .v(2, z.object({ orderId: z.string(), cents: z.int() }), (v1) => ({
    orderId: v1.orderId,
    cents: Math.round(v1.total * 100),
  }))
  .v(3, z.object({ orderId: z.string(), cents: z.int(), currency: z.string() }), (v2) => ({
    ...v2,
    currency: 'EUR',
  }))

describe('an event definition', () => {
  test('tells its type and newest schema version', () => {
    expect(OrderPlaced.type).toBe('order.placed')
    expect(OrderPlaced.schemaVersion).toBe(3)
  })

  test('makes an event of the newest schema version', () => {
    expect(OrderPlaced({ orderId: '1', cents: 4200, currency: 'EUR' })).toEqual({
      type: 'order.placed',
      schemaVersion: 3,
      data: { orderId: '1', cents: 4200, currency: 'EUR' },
    })
  })

  test('passes id, metadata and tags on', () => {
    const options = {
      id: '018f3f7e-7b1c-7c3e-8000-000000000001',
      metadata: { userId: 'u-1' },
      tags: ['customer:7'],
    }
    const Noted = event('noted').v(1, z.object({}))
    expect(Noted({}, options)).toEqual({ type: 'noted', schemaVersion: 1, data: {}, ...options })
  })

  test('applies the defaults and transforms of its schema', () => {
    const Renamed = event('user.renamed').v(
      1,
      z.object({ name: z.string().trim(), by: z.string().default('system') }),
    )
    expect(Renamed({ name: ' Ada ' }).data).toEqual({ name: 'Ada', by: 'system' })
  })

  test('drops properties that its schema does not know', () => {
    const data = { orderId: '1', cents: 1, currency: 'EUR', password: 'x' }
    expect(OrderPlaced(data).data).not.toHaveProperty('password')
  })

  test('recognises recorded events by their type', () => {
    expect(OrderPlaced.is({ type: 'order.placed' })).toBe(true)
    expect(OrderPlaced.is({ type: 'order.paid' })).toBe(false)
    expect(OrderPlaced.is({ type: 'order.placed.v2' })).toBe(false)
  })

  test('leaves the definition that it extends as it was', () => {
    const first = event('counted').v(1, z.object({ n: z.number() }))
    const second = first.v(2, z.object({ n: z.string() }), (v1) => ({ n: String(v1.n) }))

    expect(first.schemaVersion).toBe(1)
    expect(first({ n: 1 }).schemaVersion).toBe(1)
    expect(second.schemaVersion).toBe(2)
    expect(first.upcast(1, { n: 1 })).toEqual({ n: 1 })
    expect(second.upcast(1, { n: 1 })).toEqual({ n: '1' })
  })
})

describe('upcasting', () => {
  test('takes data of each older version through every version after it', () => {
    const newest = { orderId: '1', cents: 1999, currency: 'EUR' }
    expect(OrderPlaced.upcast(1, { orderId: '1', total: 19.99 })).toEqual(newest)
    expect(OrderPlaced.upcast(2, { orderId: '1', cents: 1999 })).toEqual(newest)
  })

  test('returns data of the newest version as it is, not a copy', () => {
    const data = { orderId: '1', cents: 1999, currency: 'USD' }
    expect(OrderPlaced.upcast(3, data)).toBe(data)
  })

  test('leaves the stored data alone', () => {
    const stored = Object.freeze({ orderId: '1', total: 1 })
    OrderPlaced.upcast(1, stored)
    expect(stored).toEqual({ orderId: '1', total: 1 })
  })

  test('runs each step once, oldest first', () => {
    const steps: string[] = []
    const step = (name: string) => (data: unknown) => {
      steps.push(name)
      return data
    }
    const Traced = event('traced')
      .v(1, z.unknown())
      .v(2, z.unknown(), step('1 to 2'))
      .v(3, z.unknown(), step('2 to 3'))
      .v(4, z.unknown(), step('3 to 4'))
    Traced.upcast(2, {})
    expect(steps).toEqual(['2 to 3', '3 to 4'])
  })
})

describe('a definition is refused', () => {
  const invalid = (name: string, reason: RegExp) =>
    expect.objectContaining({
      code: 'DEFINITION_INVALID',
      message: expect.stringMatching(reason),
      details: { name, reason: expect.stringMatching(reason) },
    })

  test.each(['', ' ', '\t\n'])('when its type is %j', (type) => {
    expect(() => event(type)).toThrow(invalid(type, /the event type is empty/))
  })

  test('when its first schema version is not 1', () => {
    const start = event('late')
    expect(() => start.v(2 as 1, z.object({}))).toThrow(
      invalid('late', /schema version 2 must be 1/),
    )
  })

  test.each([
    [1, 'is there already'],
    [3, 'leaves a gap'],
    [0, 'is below the first'],
    [1.5, 'is not whole'],
    [Number.NaN, 'is no number'],
  ])('when a second schema version is %d, which %s', (version) => {
    const first = event('gapped').v(1, z.object({}))
    expect(() => first.v(version, z.object({}), (data) => data)).toThrow(
      invalid('gapped', /schema version .+ must be 2/),
    )
  })

  test('when a later schema version has no upcaster', () => {
    const first = event('stuck').v(1, z.object({}))
    // @ts-expect-error the upcaster is missing
    expect(() => first.v(2, z.object({}))).toThrow(
      invalid('stuck', /schema version 2 needs an upcaster from version 1/),
    )
  })
})

describe('data that the schema refuses', () => {
  const Signup = event('user.signed-up').v(
    1,
    z.object({
      email: z.email(),
      address: z.object({ lines: z.array(z.string()) }),
    }),
  )

  test('is reported with every issue and its path', () => {
    const data = { email: 'nobody', address: { lines: ['a', 7] } } as never
    expect(() => Signup(data)).toThrow(
      expect.objectContaining({
        code: 'EVENT_DATA_INVALID',
        details: {
          type: 'user.signed-up',
          schemaVersion: 1,
          issues: [
            { path: 'email', message: expect.any(String) },
            { path: 'address.lines.1', message: expect.any(String) },
          ],
        },
      }),
    )
  })

  test('is named in the message by its first issue and the number of others', () => {
    const data = { email: 'nobody', address: { lines: ['a', 7] } } as never
    expect(() => Signup(data)).toThrow(
      /^data of event "user\.signed-up" \(schema version 1\) is invalid at "email": .+ \(and 1 more\)$/,
    )
  })

  test('does not appear in the error', () => {
    const data = { email: 'hunter2-secret', address: { lines: [] } }
    try {
      Signup(data)
      expect.unreachable()
    } catch (error) {
      expect(JSON.stringify({ ...(error as Error), message: `${error}` })).not.toContain('hunter2')
    }
  })

  test('is checked against the newest schema, not an older one', () => {
    expect(() => OrderPlaced({ orderId: '1', total: 5 } as never)).toThrow(
      expect.objectContaining({
        code: 'EVENT_DATA_INVALID',
        details: expect.objectContaining({ schemaVersion: 3 }),
      }),
    )
  })
})

test('an asynchronous schema is refused', () => {
  const Checked = event('checked').v(
    1,
    z.string().refine(async () => true),
  )
  expect(() => Checked('x')).toThrow(
    expect.objectContaining({
      code: 'NOT_SUPPORTED',
      message:
        'event "checked" has an asynchronous schema: check what has to be looked up before the event ' +
        'is made, and let the schema check the rest',
      details: { feature: 'asynchronous event schemas' },
    }),
  )
})

describe('a schema of no library', () => {
  type Price = { readonly cents: number }

  /** Standard Schema by hand, as the specification has it. */
  const price: StandardSchemaV1<Price> = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value) => {
        const { cents } = value as Partial<Price>
        if (Number.isInteger(cents)) return { value: { cents: Number(cents) } }
        return { issues: [{ message: 'no whole number', path: ['cents'] }] }
      },
    },
  }
  const Priced = event('item.priced')
    .v(1, z.object({ total: z.number() }))
    .v(2, price, (v1) => ({ cents: v1.total * 100 }))

  test('defines an event like any other, also beside schemas of zod', () => {
    expect(Priced({ cents: 5 })).toEqual({
      type: 'item.priced',
      schemaVersion: 2,
      data: { cents: 5 },
    })
    expect(Priced.upcast(1, { total: 5 })).toEqual({ cents: 500 })
    expect(() => Priced({ cents: 0.5 })).toThrow(
      expect.objectContaining({
        code: 'EVENT_DATA_INVALID',
        details: expect.objectContaining({
          issues: [{ path: 'cents', message: 'no whole number' }],
        }),
      }),
    )
  })

  test('is typed like any other', () => {
    expectTypeOf(Priced).parameter(0).toEqualTypeOf<Price>()
    const refused = () => {
      // @ts-expect-error there are no euros
      Priced({ euros: 5 })
      // @ts-expect-error the upcaster makes something else
      Priced.v(3, price, (v2) => ({ euros: v2.cents / 100 }))
      // @ts-expect-error the upcaster is missing
      Priced.v(3, price)
    }
    expectTypeOf(refused).returns.toBeVoid()
  })

  test('that is asynchronous is refused, also with a promise of another library', () => {
    // biome-ignore lint/suspicious/noThenProperty: this is what such a promise looks like
    const thenable = { then: (resolve: (result: unknown) => void) => resolve({ value: 1 }) }
    for (const answer of [Promise.resolve({ value: 1 }), thenable]) {
      const slow: StandardSchemaV1 = {
        '~standard': { version: 1, vendor: 'own', validate: () => answer as Promise<never> },
      }
      expect(() => event('slow').v(1, slow)({})).toThrow(
        expect.objectContaining({ code: 'NOT_SUPPORTED' }),
      )
    }
  })
})

describe('a compiled schema of zod', () => {
  const schema = z.object({ cents: z.int(), note: z.string().trim().default('') })
  const [Plain, Compiled] = [schema, z.compile(schema)].map((one) => event('priced').v(1, one))

  test.each([{ cents: 1 }, { cents: 1, note: ' a ', more: 1 }, { cents: 0.5 }, {}, null, 'text'])(
    'takes and refuses the same, in the same words: %j',
    (data) => {
      const attempt = (make: typeof Plain) => {
        try {
          return make?.(data as never)
        } catch (error) {
          return { ...(error as object), message: (error as Error).message }
        }
      }
      expect(attempt(Compiled)).toEqual(attempt(Plain))
    },
  )
})
