import { inspect } from 'node:util'
import fc, { type Arbitrary } from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyProjection,
  array,
  bigint,
  boolean,
  date,
  doublePrecision,
  enumeration,
  event,
  integer,
  type Json,
  jsonb,
  numeric,
  projection,
  smallint,
  table,
  text,
  timestamptz,
  uuid,
} from '../../src/index.ts'
import { type FoldRow, FoldTable } from '../../src/projections/lanes/fold-table.ts'
import { queryProjections } from '../../src/projections/query/query.ts'
import { versionSchema } from '../../src/projections/tables/ddl.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { useDatabase } from '../support/database.ts'
import { names } from './fixtures.ts'

const database = useDatabase()

const Chosen = event('chosen').v(1, z.object({}))

interface Example {
  readonly column: () => unknown
  /** Values that come back as they are. */
  readonly kept: Arbitrary<unknown>
  /** Values that may be refused, or spelled otherwise from the beginning. */
  readonly odd: Arbitrary<unknown>
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom(
    '',
    'NULL',
    'null',
    '{}',
    '{"a"}',
    'a,b',
    '"',
    '\\',
    "'",
    '\\\\"',
    ' x ',
    '\n',
    '%',
  ),
)
const keptText = anyText.filter((value) => !value.includes('\0'))
const oddText = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '\0', '\ud83e', '\udd94', '\\', '"') }),
  fc.constantFrom<unknown>(1, true, null, {}, [], undefined, 1n),
)

const wholes = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 32_767, 32_768, -32_768, -32_769),
)
const edges = fc.constantFrom<unknown>(
  ...[
    -0,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
  ],
  ...[1e21, '1', 1n, null, true, ''],
)

const digits = fc.tuple(
  fc.boolean(),
  fc.bigInt({ min: 1n, max: 10n ** 40n }),
  fc.option(fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 40 })),
)
const keptNumeric = fc.oneof(
  digits.map(
    ([minus, whole, fraction]) =>
      `${minus ? '-' : ''}${whole}${fraction === null ? '' : `.${fraction}`}`,
  ),
  fc.constantFrom('0', '0.00', 'NaN', 'Infinity', '-Infinity', '-0.001'),
)
const oddNumeric = fc.oneof(
  fc.constantFrom<unknown>(
    '',
    '.',
    '+',
    '-',
    '-0',
    '-0.00',
    '+1',
    '007',
    '.5',
    '5.',
    '1e5',
    '1e-5',
  ),
  fc.constantFrom<unknown>('1E+3', '1.50e1', '1e200000', '1e-20000', 'nan', 'inf', '1_000', '0x1f'),
  fc.constantFrom<unknown>(
    '12345678.995',
    '99999999.99',
    '100000000',
    ' 1',
    '1 ',
    '1,5',
    1,
    1n,
    null,
  ),
  fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      fc.nat(9_999_999),
      fc.nat(9_999),
      fc.integer({ min: -9, max: 9 }),
    )
    .map(([sign, whole, fraction, exponent]) => `${sign}${whole}.${fraction}e${exponent}`),
)

const labels = ['open', 'paid', "it's", 'a,b', '50%', '\\', ''] as const

const keptJson = fc.jsonValue({ noUnicodeString: false }).filter(isKeptJson)

/** No -0 and no U+0000; what else JSON has, the server keeps. */
function isKeptJson(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  if (typeof value === 'number') return !Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, item]) => isKeptJson(name) && isKeptJson(item))
}

const oddJson = fc.oneof(
  fc.object({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
  fc.dictionary(
    fc.constantFrom('b', 'aa', 'a', '10', '9', 'é', '🦔', '\uffff', '__proto__'),
    fc.nat(3),
  ),
  fc.constantFrom<unknown>(
    -0,
    [-0],
    { a: undefined },
    [undefined],
    Number.NaN,
    '\0',
    ['\ud800'],
    1n,
  ),
  fc.constantFrom<unknown>(1e308, 5e-324, 1e21, new Date(0), new Date(Number.NaN), () => 1, null),
)

const examples: Readonly<Record<string, Example>> = {
  text: { column: text, kept: keptText, odd: oddText },
  smallint: {
    column: smallint,
    kept: fc.integer({ min: -32_768, max: 32_767 }),
    odd: fc.oneof(wholes, edges),
  },
  integer: {
    column: integer,
    kept: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
    odd: fc.oneof(wholes, edges, fc.double()),
  },
  bigint: {
    column: bigint,
    kept: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    odd: fc.oneof(fc.bigInt(), fc.constantFrom(2n ** 63n, -(2n ** 63n) - 1n), edges),
  },
  numeric: { column: numeric, kept: keptNumeric, odd: oddNumeric },
  'numeric(10,2)': {
    column: () => numeric({ precision: 10, scale: 2 }),
    kept: fc
      .integer({ min: -999_999_999, max: 999_999_999 })
      .map(
        (cents) =>
          `${cents < 0 ? '-' : ''}${Math.trunc(Math.abs(cents) / 100)}.${String(Math.abs(cents) % 100).padStart(2, '0')}`,
      ),
    odd: oddNumeric,
  },
  'double precision': { column: doublePrecision, kept: fc.double(), odd: edges },
  boolean: {
    column: boolean,
    kept: fc.boolean(),
    odd: fc.constantFrom<unknown>('t', 1, null, 'false'),
  },
  uuid: {
    column: uuid,
    kept: fc.uuid(),
    odd: fc.oneof(
      fc.uuid().map((value) => value.toUpperCase()),
      fc.uuid().map((value) => value.replaceAll('-', '')),
      fc.uuid().map((value) => `{${value}}`),
      fc.constantFrom<unknown>('', null, 1, ' '),
    ),
  },
  date: {
    column: date,
    kept: fc
      .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((value) => value.toISOString().slice(0, 10)),
    odd: fc.oneof(
      fc
        .tuple(fc.nat(10_000), fc.nat(13), fc.nat(32))
        .map(([year, month, day]) => `${year}-${month}-${day}`),
      fc.constantFrom<unknown>('2023-02-29', '1900-02-29', '2000-02-29', '0000-01-01', 'today'),
      fc.constantFrom<unknown>('infinity', '2026-11-21T00:00', '', null, new Date(0)),
    ),
  },
  timestamptz: {
    column: timestamptz,
    kept: fc.oneof(
      fc.date({ min: new Date('-004712-01-01T00:00:00Z'), noInvalidDate: true }),
      fc.date({ min: new Date('1890-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
      fc.constantFrom(new Date(8.64e15), new Date(-1), new Date('0000-12-31T23:59:59.999Z')),
    ),
    odd: fc.oneof(fc.date(), fc.constantFrom<unknown>(0, '2026-11-21', null, new Date(-8.64e15))),
  },
  jsonb: { column: jsonb, kept: keptJson, odd: oddJson },
  enumeration: {
    column: () => enumeration(...labels),
    kept: fc.constantFrom(...labels),
    odd: fc.constantFrom<unknown>('Open', 'unpaid', null, 1, "it''s"),
  },
}

/** The same values in a column that may be null, in an array, and in an array that may have nulls. */
function declare(name: string, { column }: Example) {
  const make = column as () => ReturnType<typeof text>
  return projection(`kept_${name.replaceAll(/\W+/g, '_')}`.replace(/_$/, ''), {
    version: 1,
    events: [Chosen],
    tables: {
      kept: table({
        place: integer().primaryKey(),
        plain: make().nullable(),
        list: array(make()).nullable(),
        gaps: array(make().nullable()).nullable(),
      }),
    },
  })
}

interface Stage {
  readonly definition: AnyProjection
  readonly qualified: string
  readonly declared: ReturnType<typeof declare>['tables']['kept']
}

async function prepare(name: string, example: Example): Promise<Stage> {
  const definition = declare(name, example)
  await ensureVersion(database.pool, names, definition, 'any')
  const qualified = `${versionSchema(definition)}.kept`
  return { definition, qualified, declared: definition.tables.kept }
}

/** Writes rows as a fold does and reads them as another fold without a cache, and as a query. */
async function roundTrip({ definition, qualified, declared }: Stage, rows: readonly FoldRow[]) {
  const client = await database.pool.connect()
  try {
    await client.query(`truncate ${qualified}`)
    await new FoldTable(qualified, declared).upsert(client, rows)
    const found = await new FoldTable(qualified, declared).select(client, rows)
    const byPlace = (a: FoldRow, b: FoldRow) => Number(a.place) - Number(b.place)
    // biome-ignore lint/suspicious/noExplicitAny: the columns differ from type to type
    const query = queryProjections(database.pool, definition, versionSchema) as any
    const queried = await query.selectFrom('kept').selectAll().orderBy('place').execute()
    return { found: [...found].sort(byPlace), queried: queried as FoldRow[] }
  } finally {
    client.release()
  }
}

/** With the order of names, -0 and undefined. */
function show(rows: readonly FoldRow[]): readonly string[] {
  return rows.map((row) => inspect(row, { depth: null, maxStringLength: null, sorted: false }))
}

describe.each(Object.entries(examples))('%s', (name, example) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await prepare(name, example)
  })

  test('keeps each of its values, alone and in arrays', async () => {
    const { kept } = example
    const row = fc.record({
      plain: fc.option(kept),
      list: fc.option(fc.array(kept)),
      gaps: fc.option(fc.array(fc.option(kept))),
    })
    const fold = new FoldTable(stage.qualified, stage.declared)
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (given) => {
        const rows = given.map((values, place) => fold.complete({ place }, values))
        expect(rows).toStrictEqual(given.map((values, place) => ({ place, ...values })))
        const { found, queried } = await roundTrip(stage, rows)
        expect(show(found)).toEqual(show(rows))
        expect(show(queried)).toEqual(show(rows))
      }),
      { numRuns: 15 },
    )
  })

  test('refuses what the server would refuse or change, before it is written', async () => {
    const { kept, odd } = example
    const value = fc.oneof({ weight: 3, arbitrary: odd }, kept)
    const values = fc.oneof(
      fc.record({ plain: value }),
      fc.record({ list: fc.oneof(fc.array(value, { maxLength: 3 }), value) }),
      fc.record({ gaps: fc.array(fc.oneof(value, fc.constant(undefined)), { maxLength: 3 }) }),
    )
    const fold = new FoldTable(stage.qualified, stage.declared)
    await fc.assert(
      fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 60 }), async (given) => {
        const rows: FoldRow[] = []
        for (const [place, candidate] of given.entries()) {
          try {
            rows.push(fold.complete({ place }, candidate))
          } catch (error) {
            expect(String(error)).toMatch(/column "(plain|list|gaps)"/)
          }
        }
        const { found, queried } = await roundTrip(stage, rows)
        expect(show(found)).toEqual(show(rows))
        expect(show(queried)).toEqual(show(rows))
      }),
      { numRuns: 25 },
    )
  })
})

/** The values of which "refused" has to be true, so that the property is not met by refusing none. */
const refused: readonly (readonly [
  string,
  { readonly spec: { normalize(value: unknown): unknown } },
  unknown,
])[] = [
  ['a text with U+0000', text(), 'a\0b'],
  ['half a surrogate pair', text(), 'a\ud800'],
  ['a number in a text', text(), 1],
  ['a fraction in an integer', integer(), 0.5],
  ['NaN in an integer', integer(), Number.NaN],
  ['a number beyond integer', integer(), 2 ** 31],
  ['a number beyond smallint', smallint(), 2 ** 15],
  ['a bigint beyond bigint', bigint(), 2n ** 63n],
  ['a number in a bigint', bigint(), 1],
  ['a numeric that would be rounded', numeric({ precision: 5, scale: 2 }), '1.005'],
  ['a numeric with too many digits', numeric({ precision: 5, scale: 2 }), '1000'],
  ['a number in a numeric', numeric(), 1.5],
  ['a day that no month has', date(), '2026-02-29'],
  ['an invalid Date', timestamptz(), new Date(Number.NaN)],
  ['U+0000 in jsonb', jsonb(), { a: ['\0'] }],
  ['half a surrogate pair in a name in jsonb', jsonb(), { '\udc00': 1 }],
  ['NaN in jsonb', jsonb(), [Number.NaN]],
  ['a Map in jsonb', jsonb(), new Map()],
  ['a bigint in jsonb', jsonb(), { a: 1n }],
  ['an unknown label', enumeration('open', 'paid'), 'closed'],
  ['null in an array', array(text()), [null]],
  ['a hole in an array', array(text().nullable()), new Array(1)],
  ['an array within an array', array(text()), [['a']]],
]

test.each(refused)('%s is refused', (_, column, value) => {
  expect(() => column.spec.normalize(value)).toThrow()
})

test('equal values of jsonb have one order of names, the one of the server', () => {
  const normalized = jsonb().spec.normalize({ bb: 1, a: 2, é: 3, 9: 4, c: 5 } as Json)
  expect(JSON.stringify(normalized)).toBe('{"9":4,"a":2,"c":5,"bb":1,"é":3}')
})
