import pg from 'pg'

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.DATE]: String,
  [pg.types.builtins.NUMERIC]: String,
  [pg.types.builtins.TIMESTAMPTZ]: parseTimestamp,
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
 * text, `numeric` as its text; all else as pg does. Independent of pg's global parsers.
 */
export const exactTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : parsers[oid]) ??
    pg.types.getTypeParser(oid, format ?? 'text')) as typeof pg.types.getTypeParser,
}
