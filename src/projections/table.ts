import type { AnyColumn, Column } from './column.ts'

/** The columns of a table, by name. */
export type Columns = Readonly<Record<string, AnyColumn>>

/** A table of a projection: its DDL and its row types come from this one declaration. */
export interface Table<C extends Columns = Columns> {
  readonly columns: C
}

/** The tables of a projection, by name. */
export type Tables = Readonly<Record<string, Table>>

/** Declares a table. Names are snake_case, as in SQL. */
export function table<const C extends Columns>(columns: C): Table<C> {
  return { columns }
}

type ValueOf<C> = C extends Column<infer T, boolean, boolean> ? T : never

type KeyNames<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer _T, true, boolean> ? N : never
}[keyof C]

type OptionalNames<C extends Columns> = {
  [N in keyof C]: C[N] extends Column<infer _T, boolean, true> ? N : never
}[keyof C]

/** A row as it is read. */
export type Row<T extends Table> = {
  readonly [N in keyof T['columns']]: ValueOf<T['columns'][N]>
}

/** The primary key of a row. */
export type Key<T extends Table> = {
  readonly [N in KeyNames<T['columns']>]: ValueOf<T['columns'][N]>
}

/** What a reducer returns: the columns besides the key; nullable and defaulted ones may be left out. */
export type Values<T extends Table> = {
  readonly [N in Exclude<
    keyof T['columns'],
    KeyNames<T['columns']> | OptionalNames<T['columns']>
  >]: ValueOf<T['columns'][N]>
} & {
  readonly [N in Exclude<OptionalNames<T['columns']>, KeyNames<T['columns']>>]?: ValueOf<
    T['columns'][N]
  >
}
