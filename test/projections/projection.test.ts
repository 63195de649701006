import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { logNames } from '../../src/db/log-names.ts'
import { projectionSubscriber } from '../../src/projections/lanes/projection-subscriber.ts'
import { projection } from '../../src/projections/projection.ts'
import { integer, text } from '../../src/projections/tables/column.ts'
import { table } from '../../src/projections/tables/table.ts'

const Counted = event('counted').v(1, z.object({ key: z.string() }))
const counts = table({ key: text().primaryKey(), n: integer() })
const options = { version: 1, events: [Counted], tables: { counts } } as const
const fold = {
  key: ({ data }: { data: { key: string } }) => ({ key: data.key }),
  on: { counted: (row: { n: number } | null) => ({ n: (row?.n ?? 0) + 1 }) },
}

/** What a definition is refused for. */
function refusalOf(define: () => unknown): unknown {
  try {
    define()
    return 'not refused'
  } catch (error) {
    return error
  }
}

test('a definition is plain data, and adding a fold makes another one', () => {
  const bare = projection('orders', options)
  const folded = bare.fold('counts', fold)
  expect(bare.folds).toHaveLength(0)
  expect(folded.folds).toHaveLength(1)
  expect(folded).toMatchObject({ name: 'orders', version: 1, viewSchema: 'orders' })
  expect(projection('orders', { ...options, schema: 'shop' }).viewSchema).toBe('shop')
})

describe('refuses', () => {
  test.for(['', 'Orders', '1st', 'or-ders', 'or ders', 'orders"', 'a'.repeat(51), '_orders'])(
    'the name %j, also for a schema, a table and a column',
    (name) => {
      const refusal = { code: 'DEFINITION_INVALID', message: expect.stringContaining(`"${name}"`) }
      const column = table({ key: text().primaryKey(), [name]: integer() })
      for (const define of [
        () => projection(name, options),
        () => projection('orders', { ...options, schema: name }),
        () => projection('orders', { ...options, tables: { [name]: counts } }),
        () => projection('orders', { ...options, tables: { counts: column } }),
      ]) {
        expect(refusalOf(define)).toMatchObject(refusal)
      }
    },
  )

  test('a name that the server keeps for itself', () => {
    expect(refusalOf(() => projection('pg_orders', options))).toMatchObject({
      code: 'DEFINITION_INVALID',
    })
  })

  test.for([0, -1, 1.5, Number.NaN])('version %d', (version) => {
    expect(refusalOf(() => projection('orders', { ...options, version }))).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('is not a whole number from 1'),
    })
  })

  test('to read no events', () => {
    expect(refusalOf(() => projection('orders', { ...options, events: [] }))).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('reads no events'),
    })
  })

  test('a fold into a table without a key', () => {
    const tables = { counts: table({ n: integer() }) }
    const define = () =>
      projection('orders', { ...options, tables }).fold('counts', {
        key: () => ({}),
        on: { counted: () => ({ n: 1 }) },
      })
    expect(refusalOf(define)).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('has no primary key'),
    })
  })

  test('a second fold into a table, which would not see the rows of the first', () => {
    const define = () => projection('orders', options).fold('counts', fold).fold('counts', fold)
    expect(refusalOf(define)).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('"counts"'),
    })
  })

  test('a handler of an event that it does not read', () => {
    const on = { ...fold.on, placed: () => null }
    expect(
      refusalOf(() => projection('orders', options).fold('counts', { ...fold, on } as never)),
    ).toMatchObject({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining('handles "placed", which is not among its `events`'),
    })
  })

  test('to run without a level', () => {
    expect(
      refusalOf(() => projectionSubscriber(projection('orders', options), logNames())),
    ).toMatchObject({
      code: 'DEFINITION_INVALID',
    })
  })
})
