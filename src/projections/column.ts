import { isUuid } from '../core/is-uuid.ts'
import type { Json } from '../core/json.ts'

/** How a column is declared and how its values travel, all as text so that every type is exact. */
export interface ColumnSpec {
  readonly sqlType: string
  readonly isNullable: boolean
  readonly isPrimaryKey: boolean
  /** What a fold stores when a row leaves the column out. */
  readonly defaultValue: unknown
  /** Writes a value in a form that the server casts to the type. */
  readonly encode: (value: never) => string
  /** Reads the text that {@link ColumnSpec.readAs} makes. */
  readonly decode: (text: string) => unknown
  /**
   * Whether the server may spell a value otherwise than it was given, so that rows are kept in the
   * spelling of {@link ColumnSpec.encode}.
   */
  readonly respells: boolean
  /** Whether equal values have one spelling, which a primary key needs. */
  readonly canBeKey: boolean
  /** Expression that turns the column into text, `%` being its name. */
  readonly readAs: string
}

/**
 * A column of a projection's table. `T` is its value, `Key` whether it is part of the primary key,
 * `Optional` whether a row may leave it out.
 */
export interface Column<T, Key extends boolean = false, Optional extends boolean = false> {
  readonly spec: ColumnSpec
  /** Part of the table's primary key, in the order of declaration. */
  primaryKey(): Column<T, true, Optional>
  /** May hold null, which is also what a row that leaves it out stores. */
  nullable(): Column<T | null, Key, true>
  /** What a row that leaves the column out stores. */
  default(value: T): Column<T, Key, true>
  /** For types only. */
  readonly $value?: T
  readonly $key?: Key
  readonly $optional?: Optional
}

/** Any column. */
export type AnyColumn = Column<unknown, boolean, boolean>

interface Codec<T> {
  readonly encode?: (value: T) => string
  readonly decode: (text: string) => T
  readonly readAs?: string
  readonly respells?: boolean
  readonly canBeKey?: boolean
}

/** `text`. */
export const text = (): Column<string> => column('text', { decode: (value) => value })

/** `integer`: a JavaScript number, -2³¹ to 2³¹-1. */
export const integer = (): Column<number> => column('integer', { decode: Number })

/** `bigint`: a JavaScript bigint, never a number. */
export const bigint = (): Column<bigint> => column('bigint', { decode: BigInt })

/** `numeric`: a string, because a number would round. Not for keys: 1.0 and 1.00 are equal. */
export const numeric = (): Column<string> =>
  column('numeric', { decode: (value) => value, canBeKey: false })

/** `boolean`. */
export const boolean = (): Column<boolean> =>
  column('boolean', { decode: (value) => value === 'true' })

/** `uuid`: a string with hyphens; kept in lower case. */
export const uuid = (): Column<string> =>
  column('uuid', { encode: canonicalUuid, decode: (value) => value, respells: true })

/** `date`: a string `2026-11-21`, because a calendar day has no time zone. */
export const date = (): Column<string> =>
  column('date', {
    encode: canonicalDate,
    decode: (value) => value,
    readAs: "to_char(%, 'YYYY-MM-DD')",
    respells: true,
  })

/** `timestamptz`: a Date, to the millisecond. */
export const timestamptz = (): Column<Date> =>
  column('timestamptz', {
    encode: (value) => value.toISOString(),
    decode: (value) => new Date(value),
    readAs: `to_char(% at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  })

/** `jsonb`: any value that JSON holds. Not for keys: the order of names says nothing. */
export const jsonb = <T extends Json = Json>(): Column<T> =>
  column<T>('jsonb', {
    encode: (value) => JSON.stringify(value),
    decode: (value) => JSON.parse(value),
    canBeKey: false,
  })

function column<T>(sqlType: string, codec: Codec<T>): Column<T> {
  return withSpec<T, false, false>({
    sqlType,
    isNullable: false,
    isPrimaryKey: false,
    defaultValue: undefined,
    encode: (codec.encode ?? String) as (value: never) => string,
    decode: codec.decode,
    readAs: codec.readAs ?? '%::text',
    respells: codec.respells ?? false,
    canBeKey: codec.canBeKey ?? true,
  })
}

function withSpec<T, Key extends boolean, Optional extends boolean>(
  spec: ColumnSpec,
): Column<T, Key, Optional> {
  return {
    spec,
    primaryKey: () => withSpec({ ...spec, isPrimaryKey: true }),
    nullable: () =>
      withSpec({ ...spec, isNullable: true, defaultValue: spec.defaultValue ?? null }),
    default: (value) => withSpec({ ...spec, defaultValue: value }),
  }
}

function canonicalUuid(value: string): string {
  if (isUuid(value)) return value.toLowerCase()
  throw new RangeError('a uuid is 32 hexadecimal digits in five groups')
}

function canonicalDate(value: string): string {
  const [, year = '', month = '', day = ''] = /^(\d{1,4})-(\d{1,2})-(\d{1,2})$/.exec(value) ?? []
  if (day !== '')
    return [year.padStart(4, '0'), month.padStart(2, '0'), day.padStart(2, '0')].join('-')
  throw new RangeError('a date is written as 2026-11-21')
}
