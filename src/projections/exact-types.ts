import pg from 'pg'

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.DATE]: String,
  [pg.types.builtins.NUMERIC]: String,
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
