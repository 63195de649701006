import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import { findLossyPlaces } from '../../src/core/lossy-schemas.ts'

function pathsOf(schema: StandardSchemaV1): string[] {
  return findLossyPlaces(event('checked').v(1, schema)).map(({ path }) => path)
}

const dateCodec = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

type Tree = { at: Date; children: Tree[] }
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ at: z.date(), children: z.array(tree) }))

describe('a lossy place is found', () => {
  test.each<[string, StandardSchemaV1, string[]]>([
    ['a date', z.object({ at: z.date() }), ['/properties/at']],
    ['a coerced date', z.object({ at: z.coerce.date() }), ['/properties/at']],
    ['an optional date', z.object({ at: z.date().optional() }), ['/properties/at']],
    ['what a codec makes', z.object({ at: dateCodec }), ['/properties/at']],
    ['a big integer', z.object({ n: z.bigint() }), ['/properties/n']],
    ['a map', z.object({ m: z.map(z.string(), z.number()) }), ['/properties/m']],
    ['a set', z.object({ s: z.set(z.string()) }), ['/properties/s']],
    ['not a number', z.object({ n: z.nan() }), ['/properties/n']],
    ['a symbol', z.object({ s: z.symbol() }), ['/properties/s']],
    ['a file', z.object({ f: z.file() }), ['/properties/f']],
    ['a date in a list', z.object({ l: z.array(z.date()) }), ['/properties/l/items']],
    ['a date in a union', z.union([z.string(), z.date()]), ['/anyOf/1']],
    ['a date in a record', z.record(z.string(), z.date()), ['/additionalProperties']],
    ['a date in a recursive schema', tree, ['/properties/at']],
    ['undefined', z.undefined(), ['']],
    ['nothing', z.void(), ['']],
    ['data that may be left out', z.object({}).optional(), ['']],
    ['two places', z.object({ b: z.date(), a: z.bigint() }), ['/properties/a', '/properties/b']],
  ])('in %s', (_, schema, expected) => {
    expect(pathsOf(schema)).toEqual(expected)
  })

  test('in the version that it is in, with its reason', () => {
    const Dated = event('dated')
      .v(1, z.object({ at: z.date() }))
      .v(2, z.object({ at: z.iso.datetime() }), (v1) => ({ at: new Date(v1.at).toISOString() }))
    expect(findLossyPlaces(Dated)).toEqual([
      {
        schemaVersion: 1,
        path: '/properties/at',
        reason: 'a Date is stored as text and read back as text: use z.iso.datetime()',
      },
    ])
  })
})

describe('nothing is found', () => {
  const unreadable = {
    '~standard': {
      ...z.object({})['~standard'],
      jsonSchema: {
        input: () => ({}),
        output: () => {
          throw new Error('no')
        },
      },
    },
  }

  test.each<[string, StandardSchemaV1]>([
    [
      'JSON',
      z.object({
        a: z.string(),
        b: z.array(z.int()).nullable(),
        c: z.record(z.string(), z.boolean()),
      }),
    ],
    ['a property that may be left out', z.object({ a: z.string().optional(), b: z.undefined() })],
    ['what cannot be known', z.object({ a: z.any(), b: z.unknown(), c: z.custom(() => true) })],
    ['what a transform makes', z.object({ a: z.string().transform((text) => new Date(text)) })],
    ['a schema that cannot be walked', unreadable],
    [
      'another library',
      { '~standard': { version: 1, vendor: 'own', validate: () => ({ value: 1 }) } },
    ],
  ])('in %s', (_, schema) => {
    expect(pathsOf(schema)).toEqual([])
  })
})
