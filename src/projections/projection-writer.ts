import type { ColumnType, Kysely } from 'kysely'
import type { Row, Table, Tables, Values } from './table.ts'

type Insertable<T extends Table> = Values<T> & { readonly [N in keyof Row<T>]?: Row<T>[N] }

/** A table as Kysely writes it: what a fold may leave out, an insert may leave out too. */
type WriteTable<T extends Table> = {
  readonly [N in keyof Row<T>]: ColumnType<
    Row<T>[N],
    undefined extends Insertable<T>[N] ? Row<T>[N] | undefined : Row<T>[N],
    Row<T>[N]
  >
}

/** The tables of a projection as Kysely writes them. */
export type WriteDatabase<T extends Tables> = { readonly [N in keyof T]: WriteTable<T[N]> }

/** A Kysely over the tables of one version, within the transaction of a chunk. */
export type ProjectionWriter<T extends Tables> = Omit<
  Kysely<WriteDatabase<T>>,
  'transaction' | 'startTransaction' | 'connection' | 'destroy' | typeof Symbol.asyncDispose
>
