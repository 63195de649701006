import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  array,
  bigint,
  enumeration,
  event,
  foreignKey,
  integer,
  numeric,
  projection,
  type Table,
  table,
  text,
  uuid,
} from '../../src/index.ts'
import { FoldTable } from '../../src/projections/lanes/fold-table.ts'

const Counted = event('counted').v(1, z.object({ key: z.string() }))

function define(tables: Readonly<Record<string, Table>>): unknown {
  return projection('orders', { version: 1, events: [Counted], tables })
}

const orders = table({ id: uuid().primaryKey(), note: text() })
const pairs = table({ a: text().primaryKey(), b: text().primaryKey() })
const key = { id: integer().primaryKey() }
// What types would refuse, as a program without types may have it.
const unchecked = table as unknown as (columns: unknown, options?: unknown) => Table

test.each([
  ['no column "x"', { t: unchecked(key, { indexes: { i: ['x'] } }) }],
  ['no column "x"', { t: unchecked(key, { indexes: { i: { on: ['id'], include: ['x'] } } }) }],
  ['no column "x"', { t: unchecked(key, { unique: { u: ['x'] } }) }],
  [
    'no column "x"',
    { orders, t: unchecked(key, { foreignKeys: { f: foreignKey(orders, { x: 'id' }) } }) },
  ],
  ['does not have', { t: table({ ...key, order: uuid().references(orders, 'id') }) }],
  [
    'to the primary key',
    { orders, t: table({ ...key, order: text().references(orders, 'note') }) },
  ],
  ['to the primary key', { pairs, t: table({ ...key, a: text().references(pairs, 'a') }) }],
  ['another type', { orders, t: table({ ...key, order: text().references(orders, 'id') }) }],
  [
    'are named "i"',
    { t: table(key, { indexes: { i: ['id'] } }), u: table(key, { indexes: { i: ['id'] } }) },
  ],
  ['are named "u"', { t: table(key, { indexes: { u: ['id'] } }), u: table(key) }],
  ['not a usable name', { t: table(key, { indexes: { 'by-id': ['id'] } }) }],
  ['cannot be generated', { t: table({ id: integer().generatedAs('1').primaryKey() }) }],
  ['cannot be nullable', { t: table({ id: integer().nullable().primaryKey() }) }],
  ['cannot have a default', { t: table({ ...key, n: integer().default(1).generatedAs('id') }) }],
  ['a default that it cannot hold', { t: table({ ...key, n: integer().default(1.5) }) }],
])('refuses a table: %s', (reason, tables) => {
  expect(() => define(tables)).toThrow(
    expect.objectContaining({
      code: 'DEFINITION_INVALID',
      message: expect.stringContaining(reason),
    }),
  )
})

test.each([
  ['an array of arrays', () => array(array(text()))],
  ['an enumeration without labels', () => (enumeration as unknown as () => unknown)()],
  ['an enumeration with a label twice', () => enumeration('a', 'a')],
  ['a scale without a precision', () => numeric({ scale: 2 })],
  ['a scale beyond the precision', () => numeric({ precision: 2, scale: 3 })],
])('refuses %s', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
})

test('takes tables that refer to each other by their keys', () => {
  const lines = table(
    { order: uuid().references(orders, 'id').primaryKey(), a: text(), b: text(), n: bigint() },
    { foreignKeys: { pair: foreignKey(pairs, { b: 'b', a: 'a' }) } },
  )
  expect(define({ lines, orders, pairs })).toBeDefined()
})

describe('a reducer that returns what cannot be stored is refused by column', () => {
  const declared = table({
    id: integer().primaryKey(),
    note: text().nullable(),
    length: integer().generatedAs('length(note)'),
  })
  const fold = new FoldTable('t', declared)

  test.each([
    ['a column that is not there', { notes: 'x' }, 'no column "notes"'],
    ['a generated column', { length: 1 }, 'no column "length"'],
    ["another row's key", { id: 2 }, 'column "id" is part of the key'],
    ['a value of another type', { note: 1 }, 'column "note": it takes a string'],
  ])('%s', (_, values, said) => {
    expect(() => fold.complete({ id: 1 }, values)).toThrow(said)
  })

  test('but the row as it was, with its key, and what is undefined', () => {
    const row = fold.complete({ id: 1 }, { id: 1, note: 'x', gone: undefined })
    expect(row).toStrictEqual({ id: 1, note: 'x' })
  })
})
