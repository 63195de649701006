import type { AnyColumn, Column } from './column-spec.ts'

/** The columns of a table, by name. */
export type Columns = Readonly<Record<string, AnyColumn>>

/** A table of a projection: its DDL and its row types come from this one declaration. */
export interface Table<C extends Columns = Columns> {
  readonly columns: C
  readonly options?: TableOptions<string>
}

/** The tables whose columns are declared, rather than created by plain SQL. */
export type DeclaredNames<T extends Tables> = {
  [N in keyof T & string]: '$rows' extends keyof T[N] ? never : N
}[keyof T & string]

/** What a table has besides its columns. The names of indexes and constraints are given. */
export interface TableOptions<Name extends string> {
  /** Sets of columns of which no two rows have the same, checked at the end of each statement. */
  readonly unique?: Readonly<Record<string, readonly Name[]>>
  /** Conditions in SQL that each row meets. */
  readonly checks?: Readonly<Record<string, string>>
  readonly foreignKeys?: Readonly<Record<string, ForeignKey<Name>>>
  readonly indexes?: Readonly<Record<string, readonly IndexPart<Name>[] | Index<Name>>>
  /**
   * Further statements, such as `alter table … set (fillfactor = 80)`: run after all tables and
   * indexes stand, with the version's schema as the only one in `search_path`.
   */
  readonly sql?: string
}

/** A column, or what else stands between the parentheses: `{ sql: 'lower(email) desc' }`. */
export type IndexPart<Name extends string> = Name | { readonly sql: string }

export interface Index<Name extends string> {
  readonly on: readonly IndexPart<Name>[]
  /**
   * No two rows (of those in `where`) have the same. Checked row by row, so that a chunk cannot swap
   * values, and good for `on conflict`. Made at once, where other indexes are made after a rebuild.
   */
  readonly unique?: boolean
  /** Access method. Default `btree`. */
  readonly using?: string
  /** Condition in SQL: the index holds the rows that meet it. */
  readonly where?: string
  /** Columns that are kept in the index besides. */
  readonly include?: readonly Name[]
}

/** Columns that are found in the primary key of another table. */
export interface ForeignKey<Name extends string> {
  readonly table: Table
  /** From column to column of the other table's primary key. */
  readonly columns: { readonly [N in Name]?: string }
}

/** The tables of a projection, by name. */
export type Tables = Readonly<Record<string, Table>>

/** Declares a table. Names are snake_case, as in SQL. */
export function table<const C extends Columns>(
  columns: C,
  options: TableOptions<keyof C & string> = {},
): Table<C> {
  return { columns, options }
}

/**
 * Declares that columns are found together in another table's primary key. It is checked when a
 * transaction commits: a chunk writes its tables in any order.
 */
export function foreignKey<C extends Columns, const M extends Record<string, keyof C & string>>(
  table: Table<C>,
  columns: M,
): ForeignKey<keyof M & string> {
  return { table, columns }
}

type ValueOf<C> = C extends Column<infer T, boolean, boolean, boolean> ? T : never

type KeyNames<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer _T, true, boolean, boolean> ? N : never
}[keyof C]

/** The columns that a row may leave out. */
export type OptionalNames<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer _T, boolean, true, boolean> ? N : never
}[keyof C]

/** The columns that the server computes. */
export type GeneratedNames<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer _T, boolean, boolean, true> ? N : never
}[keyof C]

/** A row as it is read. */
export type Row<T extends Table> = {
  readonly [N in keyof T['columns']]: ValueOf<T['columns'][N]>
}

/** A row as a reducer sees it: without what the server computes when it is written. */
export type ReducedRow<T extends Table> = {
  readonly [N in Exclude<keyof T['columns'], GeneratedNames<T['columns']>>]: ValueOf<
    T['columns'][N]
  >
}

/** The primary key of a row. */
export type Key<T extends Table> = {
  readonly [N in KeyNames<T['columns']>]: ValueOf<T['columns'][N]>
}

/**
 * What a reducer returns: the columns besides the key; nullable and defaulted ones may be left out.
 * The key's may stand there, as they do in a row that is spread, if they are those of the key.
 */
export type Values<T extends Table> = {
  readonly [N in Exclude<
    keyof T['columns'],
    KeyNames<T['columns']> | OptionalNames<T['columns']> | GeneratedNames<T['columns']>
  >]: ValueOf<T['columns'][N]>
} & {
  readonly [N in Exclude<
    OptionalNames<T['columns']> | KeyNames<T['columns']>,
    GeneratedNames<T['columns']>
  >]?: ValueOf<T['columns'][N]>
} & {
  readonly [N in GeneratedNames<T['columns']>]?: never
}
