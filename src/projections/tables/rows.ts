import type { SelectType } from 'kysely'
import type { Column } from './column-spec.ts'
import type { Table } from './table.ts'

/** A table that plain SQL creates, with the type of its rows. `each` and `batch` write it. */
export interface RowsTable<R = unknown>
  extends Table<{ readonly [N in keyof R & string]: Column<SelectType<R[N]>> }> {
  readonly $rows: R
}

/** The tables that plain SQL creates, by name. */
export type RowsTables<R> = { readonly [N in keyof R]: RowsTable<R[N]> }

/**
 * Gives the row types of the tables that a projection's `ddl` creates, as Kysely takes them: with
 * `Generated<…>` and `ColumnType<…>` where an insert differs. They are believed, not checked. May be
 * spread beside declared tables.
 */
export function rows<R extends object>(): RowsTables<R> {
  return {} as RowsTables<R>
}
