import { isUuid } from '../../core/is-uuid.ts'
import type { Json } from '../../core/json.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { encodeArray } from './array-literal.ts'
import { type Codec, type Column, type ColumnSpec, columnOf } from './column-spec.ts'
import { normalizeJson } from './json-value.ts'
import { type NumericOptions, normalizeNumeric } from './numeric-text.ts'
import { normalizeText } from './text-value.ts'

/** `text`. U+0000 and lone surrogates, which the server does not hold, are refused. */
export const text = (): Column<string> =>
  columnOf({ ...plain, sqlType: 'text', normalize: normalizeText, decode: (value) => value })

/** `smallint`: a JavaScript number, -2¹⁵ to 2¹⁵-1. */
export const smallint = (): Column<number> => columnOf(wholeNumber('smallint', 16))

/** `integer`: a JavaScript number, -2³¹ to 2³¹-1. */
export const integer = (): Column<number> => columnOf(wholeNumber('integer', 32))

/** `bigint`: a JavaScript bigint, never a number. */
export const bigint = (): Column<bigint> =>
  columnOf({ ...plain, sqlType: 'bigint', normalize: normalizeBigint, decode: BigInt })

/**
 * `numeric`: a string, because a number would round. With a precision it has that many digits in all,
 * `scale` of them (default 0) behind the point; a value that would be rounded is refused. Without,
 * it keeps its zeros (1.0 and 1.00 are equal, but not the same) and cannot be a key.
 */
export const numeric = (options: NumericOptions = {}): Column<string> =>
  columnOf({
    ...plain,
    sqlType: numericType(options),
    normalize: (value) => normalizeNumeric(value, options),
    decode: (value) => value,
    canBeKey: options.precision !== undefined,
  })

/** `double precision`: any JavaScript number, -0, NaN and the infinities too. Not for keys. */
export const doublePrecision = (): Column<number> =>
  columnOf({
    ...plain,
    sqlType: 'double precision',
    normalize: normalizeNumber,
    encode: (value) => (Object.is(value, -0) ? '-0' : String(value)),
    // By its bytes: how many digits the text has is a setting.
    readAs: "encode(float8send(%), 'hex')",
    decode: (value) => Buffer.from(value, 'hex').readDoubleBE(),
    canBeKey: false,
  })

/** `boolean`. */
export const boolean = (): Column<boolean> =>
  columnOf({
    ...plain,
    sqlType: 'boolean',
    normalize: normalizeBoolean,
    decode: (value) => value === 'true',
  })

/** `uuid`: a string with hyphens; kept in lower case. */
export const uuid = (): Column<string> =>
  columnOf({ ...plain, sqlType: 'uuid', normalize: normalizeUuid, decode: (value) => value })

/** `date`: a string `2026-11-21`, because a calendar day has no time zone. Years 1 to 9999. */
export const date = (): Column<string> =>
  columnOf({
    ...plain,
    sqlType: 'date',
    normalize: normalizeDate,
    readAs: "to_char(%, 'YYYY-MM-DD')",
    decode: (value) => value,
  })

/** `timestamptz`: a Date, to the millisecond, from 4713 BC. Microseconds, which only SQL writes, are cut off. */
export const timestamptz = (): Column<Date> =>
  columnOf({
    ...plain,
    sqlType: 'timestamptz',
    normalize: normalizeTimestamp,
    encode: encodeTimestamp,
    readAs: 'floor(extract(epoch from %) * 1000)::text',
    decode: (value) => new Date(Number(value)),
  })

/**
 * `jsonb`: any value that JSON holds. Not for keys. Its names come in the order in which the server
 * keeps them, not as they were written.
 */
export const jsonb = <T extends Json = Json>(): Column<T> =>
  columnOf<T>({
    ...plain,
    sqlType: 'jsonb',
    normalize: (value) => normalizeJson(value) as T,
    encode: (value) => JSON.stringify(value),
    decode: (value) => JSON.parse(value),
    canBeKey: false,
  })

/**
 * One of some labels: `text` with a check, so that a label may be added or go in a new version
 * without a change of the views' types (docs/decisions/0025-columns-keep-their-values.md).
 *
 * @throws DEFINITION_INVALID without labels, or when one stands there twice.
 */
export function enumeration<const L extends readonly [string, ...string[]]>(
  ...labels: L
): Column<L[number]> {
  const known: ReadonlySet<unknown> = new Set(labels)
  if (known.size === 0 || known.size < labels.length) {
    throw invalid('enumeration', 'it needs labels, each of them once')
  }
  return columnOf<L[number]>({
    ...plain,
    sqlType: 'text',
    labels: labels.map(normalizeText),
    normalize: (value) => {
      if (known.has(value)) return value as L[number]
      throw new RangeError(`it is one of ${labels.map((label) => `"${label}"`).join(', ')}`)
    },
    decode: (value) => value as L[number],
  })
}

/**
 * An array of any other type; of a nullable one, its elements may be null. One dimension.
 *
 * @throws DEFINITION_INVALID for an array of arrays.
 */
export function array<T>(element: Column<T, false, boolean>): Column<readonly T[]> {
  const { spec } = element
  if (spec.element !== undefined)
    throw invalid('array', 'an array of arrays is not supported: use jsonb()')
  return columnOf<readonly T[]>({
    sqlType: `${spec.sqlType}[]`,
    normalize: (value) => normalizeElements(spec, value) as T[],
    encode: (value) => encodeArray(value.map((item) => encodeOrNull(spec, item))),
    readAs: readElements(spec),
    decode: (value) => {
      const texts: (string | null)[] = JSON.parse(value)
      return texts.map((item) => (item === null ? null : spec.decode(item))) as T[]
    },
    canBeKey: spec.canBeKey,
    element: spec,
  })
}

/** Writes a normalized value, or null for SQL's null. */
export function encodeOrNull(spec: ColumnSpec, value: unknown): string | null {
  // Where SQL's null cannot be, null is JSON's.
  if (value === null && !(spec.sqlType === 'jsonb' && !spec.isNullable)) return null
  return spec.encode(value)
}

/** Normalizes a value or null. Throws as {@link Codec.normalize} does, and for a null that cannot be. */
export function normalizeOrNull(spec: ColumnSpec, value: unknown): unknown {
  if (value !== null || (spec.sqlType === 'jsonb' && !spec.isNullable)) return spec.normalize(value)
  if (spec.isNullable) return null
  throw new RangeError('it cannot be null')
}

const plain = { encode: String, readAs: '%::text', canBeKey: true } as const

function wholeNumber(sqlType: string, bits: number): Codec<number> {
  const limit = 2 ** (bits - 1)
  return {
    ...plain,
    sqlType,
    normalize: (value) => {
      const number = normalizeNumber(value)
      if (!Number.isInteger(number)) throw new RangeError(`${sqlType} holds whole numbers`)
      if (number < -limit || number >= limit) throw outOfRange(sqlType)
      return number + 0 // Not -0, of which there is none.
    },
    decode: Number,
  }
}

function normalizeBigint(value: unknown): bigint {
  if (typeof value !== 'bigint') throw wrongType('a bigint', value)
  if (BigInt.asIntN(64, value) !== value) throw outOfRange('bigint')
  return value
}

function normalizeNumber(value: unknown): number {
  if (typeof value !== 'number') throw wrongType('a number', value)
  return value
}

function normalizeBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType('a boolean', value)
  return value
}

function normalizeUuid(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value.toLowerCase()
  throw new RangeError('a uuid is 32 hexadecimal digits in five groups')
}

function normalizeDate(value: unknown): string {
  const parts = typeof value === 'string' ? /^(\d{1,4})-(\d{1,2})-(\d{1,2})$/.exec(value) : null
  const [year = 0, month = 0, day = 0] = parts?.slice(1).map(Number) ?? []
  const lengths = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  if (year >= 1 && day >= 1 && day <= (lengths[month - 1] ?? 0)) {
    const [two, pair] = [String(month), String(day)]
    return `${String(year).padStart(4, '0')}-${two.padStart(2, '0')}-${pair.padStart(2, '0')}`
  }
  throw new RangeError('a date is a day of the calendar, written as 2026-11-21')
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** The server's first day is in November of 4714 BC; a Date ends long before the server's last. */
const firstTime = Date.UTC(-4712, 0)

function normalizeTimestamp(value: unknown): Date {
  if (!(value instanceof Date)) throw wrongType('a Date', value)
  const time = value.getTime()
  if (Number.isNaN(time)) throw new RangeError('the Date is invalid')
  if (time < firstTime) throw outOfRange('timestamptz')
  return new Date(time)
}

/** As the server writes years: there is no year 0, and before it they count down to BC. */
function encodeTimestamp(value: Date): string {
  const rest = value.toISOString().replace(/^[+-]?\d+/, '')
  const year = value.getUTCFullYear()
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return `${shown}${rest}${year > 0 ? '' : ' BC'}`
}

function numericType({ precision, scale = 0 }: NumericOptions): string {
  if (precision === undefined && scale === 0) return 'numeric'
  const isUsable =
    precision !== undefined &&
    [precision, scale].every(Number.isInteger) &&
    precision >= 1 &&
    precision <= 1_000 &&
    scale >= 0 &&
    scale <= precision
  if (isUsable) return `numeric(${precision},${scale})`
  throw invalid('numeric', 'the precision is 1 to 1,000 and the scale 0 to the precision')
}

function normalizeElements(spec: ColumnSpec, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType('an array', value)
  return Array.from(value, (item, index) => {
    try {
      return normalizeOrNull(spec, item)
    } catch (error) {
      throw new RangeError(`element ${index}: ${(error as Error).message}`)
    }
  })
}

/** A list of the elements as text each, in which the session's settings do not show. */
function readElements(spec: ColumnSpec): string {
  const item = spec.readAs.replaceAll('%', () => 'u.e')
  return `case when % is not null then array_to_json(array(select ${item} from unnest(%) with ordinality as u (e, n) order by n))::text end`
}

function wrongType(wanted: string, value: unknown): Error {
  const found = value === null ? 'null' : typeof value
  return new TypeError(`it takes ${wanted}, not ${found === 'object' ? 'an object' : found}`)
}

function outOfRange(sqlType: string): Error {
  return new RangeError(`${sqlType} does not reach as far as the value`)
}

function invalid(name: string, reason: string): TidemarkError {
  return new TidemarkError('DEFINITION_INVALID', `column type ${name}(): ${reason}`, {
    details: { name, reason },
  })
}
