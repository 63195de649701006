/** How values of a type travel, all as text so that every type is exact. */
export interface Codec<T> {
  /** As it is written in a declaration and a cast. */
  readonly sqlType: string
  /**
   * Gives a value the form in which it is read again, always in a copy.
   *
   * Throws when the server would refuse the value, or keep another one; without repeating it.
   */
  readonly normalize: (value: unknown) => T
  /** Writes a normalized value in a form that the server casts to the type. */
  readonly encode: (value: T) => string
  /** Reads the text that {@link Codec.readAs} makes. */
  readonly decode: (text: string) => T
  /** Expression that turns the column into text, `%` being its name, whatever the session is set to. */
  readonly readAs: string
  /** Whether equal values have one spelling, which a primary key needs. */
  readonly canBeKey: boolean
  /** The only values that a text may have. */
  readonly labels?: readonly string[]
  /** What an array is made of. There are no arrays of arrays. */
  readonly element?: ColumnSpec
}

/** How a column is declared. */
export interface ColumnSpec extends Codec<unknown> {
  readonly isNullable: boolean
  readonly isPrimaryKey: boolean
  readonly isUnique: boolean
  /** What is stored when a row leaves the column out; undefined for nothing. */
  readonly defaultValue: unknown
  /** Expression that the server computes the column from. */
  readonly generatedAs?: string
  readonly reference?: Reference
}

/** The column of another table that a column's values are found in. */
export interface Reference {
  readonly table: object
  readonly column: string
}

/**
 * A column of a projection's table. `T` is its value, `Key` whether it is part of the primary key,
 * `Optional` whether a row may leave it out, `Generated` whether the server computes it.
 */
export interface Column<
  T,
  Key extends boolean = false,
  Optional extends boolean = false,
  Generated extends boolean = false,
> {
  readonly spec: ColumnSpec
  /** Part of the table's primary key, in the order of declaration. */
  primaryKey(): Column<T, true, Optional, Generated>
  /** May hold null, which is also what a row that leaves it out stores. */
  nullable(): Column<T | null, Key, true, Generated>
  /** What a row that leaves the column out stores, be it written by a fold or in SQL. */
  default(value: T): Column<T, Key, true, Generated>
  /**
   * Computed by the server from the row's other columns, and stored. The expression is SQL and
   * immutable. Queries read the column; nothing writes it, and reducers do not see it: it comes to
   * be when a chunk's rows are written.
   */
  generatedAs(expression: string): Column<T, Key, Optional, true>
  /**
   * No two rows hold the same value. Checked at the end of each statement, so that a chunk may swap
   * values between rows. For `on conflict` of a column, declare a unique index instead.
   */
  unique(): Column<T, Key, Optional, Generated>
  /**
   * Each value is found in the primary key of another table of the projection, when a transaction
   * commits; null refers to nothing. Rows that are referred to are not deleted along.
   */
  references<N extends string>(
    table: Referenced<N, NonNullable<T>>,
    column: N,
  ): Column<T, Key, Optional, Generated>
  /** For types only. */
  readonly $value?: T
  readonly $key?: Key
  readonly $optional?: Optional
  readonly $generated?: Generated
}

/** A table that has a column `N` of values `T`. */
export interface Referenced<N extends string, T> {
  readonly columns: { readonly [K in N]: { readonly $value?: T } }
}

/** Any column. */
export type AnyColumn = Column<unknown, boolean, boolean, boolean>

/** Declares a column of a type: neither null nor a key, and without a default. */
export function columnOf<T>(codec: Codec<T>): Column<T> {
  return withSpec({
    ...(codec as Codec<unknown>),
    isNullable: false,
    isPrimaryKey: false,
    isUnique: false,
    defaultValue: undefined,
  })
}

function withSpec<T, Key extends boolean, Optional extends boolean, Generated extends boolean>(
  spec: ColumnSpec,
): Column<T, Key, Optional, Generated> {
  return {
    spec,
    primaryKey: () => withSpec({ ...spec, isPrimaryKey: true }),
    nullable: () =>
      withSpec({ ...spec, isNullable: true, defaultValue: spec.defaultValue ?? null }),
    default: (value) => withSpec({ ...spec, defaultValue: value }),
    generatedAs: (expression) => withSpec({ ...spec, generatedAs: expression }),
    unique: () => withSpec({ ...spec, isUnique: true }),
    references: (table, column) => withSpec({ ...spec, reference: { table, column } }),
  }
}
