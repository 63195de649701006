import pg from 'pg'
import { decodeArray } from './array-literal.ts'

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.DATE]: String,
  [pg.types.builtins.NUMERIC]: String,
  [pg.types.builtins.TIMESTAMPTZ]: parseTimestamp,
}

/** The array types of what columns can be, by pg_type.dat, with the types of their elements. */
const elements: Readonly<Record<number, number>> = {
  1000: pg.types.builtins.BOOL,
  1005: pg.types.builtins.INT2,
  1007: pg.types.builtins.INT4,
  1009: pg.types.builtins.TEXT,
  1016: pg.types.builtins.INT8,
  1022: pg.types.builtins.FLOAT8,
  1182: pg.types.builtins.DATE,
  1185: pg.types.builtins.TIMESTAMPTZ,
  1231: pg.types.builtins.NUMERIC,
  2951: pg.types.builtins.UUID,
  3807: pg.types.builtins.JSONB,
}

/**
 * Reads the ISO style that every connection of ours asks for: `2026-11-21 10:00:00.123456+00`. Years
 * may have five digits and old offsets seconds, which `Date` itself does not read.
 */
function parseTimestamp(text: string): Date | null {
  const match =
    /^(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/.exec(
      text,
    )
  if (match === null) return null
  const [year = 0, month = 1, day = 1, hours, minutes, seconds] = match.slice(1, 7).map(Number)
  const [offsetHours = 0, offsetMinutes = 0, offsetSeconds = 0] = match
    .slice(9, 12)
    .map((part) => Number(part ?? 0))
  const offset = (offsetHours * 60 + offsetMinutes) * 60 + offsetSeconds
  const date = new Date(0)
  // There is no year 0: the year before 1 is 1 BC.
  date.setUTCFullYear(match[12] === undefined ? year : 1 - year, month - 1, day)
  date.setUTCHours(hours ?? 0, minutes, seconds, Math.trunc(Number(match[7] ?? 0) * 1_000))
  return new Date(date.getTime() - (match[8] === '-' ? -offset : offset) * 1_000)
}

/**
 * Parses results as the column types of projections promise: `bigint` as a bigint, `date` as its
 * text, `numeric` as its text, arrays of them likewise; all else as pg does. Independent of pg's
 * global parsers for these.
 */
export const exactTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : exactParser(oid)) ??
    pg.types.getTypeParser(oid, format ?? 'text')) as typeof pg.types.getTypeParser,
}

function exactParser(oid: number): ((text: string) => unknown) | undefined {
  const element = elements[oid]
  return element === undefined ? parsers[oid] : parseArray(oid, element)
}

/** Arrays that no column of ours declares, of several dimensions, are left to pg. */
function parseArray(oid: number, element: number): (text: string) => unknown {
  const parse = parsers[element] ?? pg.types.getTypeParser(element, 'text')
  return (literal) =>
    decodeArray(literal)?.map((item) => (item === null ? null : parse(item))) ??
    pg.types.getTypeParser(oid, 'text')(literal)
}
