import type { ColumnType, Kysely } from 'kysely'
import type { RowsTable } from '../tables/rows.ts'
import type { GeneratedNames, OptionalNames, Row, Table, Tables } from '../tables/table.ts'

/**
 * A table as Kysely writes it: an insert may leave out what a fold may leave out, and nothing writes what
 * the server computes.
 */
type WriteTable<T extends Table> = {
  readonly [N in keyof Row<T>]: N extends GeneratedNames<T['columns']>
    ? ColumnType<Row<T>[N], never, never>
    : ColumnType<
        Row<T>[N],
        N extends OptionalNames<T['columns']> ? Row<T>[N] | undefined : Row<T>[N],
        Row<T>[N]
      >
}

/** The tables of a projection as Kysely writes them. */
export type WriteDatabase<T extends Tables> = {
  readonly [N in keyof T]: T[N] extends RowsTable<infer R> ? R : WriteTable<T[N]>
}

/** A Kysely over the tables of one version, within the transaction of a chunk. */
export type ProjectionWriter<T extends Tables> = Omit<
  Kysely<WriteDatabase<T>>,
  'transaction' | 'startTransaction' | 'connection' | 'destroy' | typeof Symbol.asyncDispose
>
