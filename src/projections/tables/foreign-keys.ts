import type { Tables } from './table.ts'

/** A foreign key with the names that its objects have in the projection. */
export interface NamedForeignKey {
  readonly table: string
  readonly name: string
  readonly columns: readonly string[]
  /** Empty when the projection has no such table. */
  readonly target: string
  readonly targetColumns: readonly string[]
}

/** Lists the foreign keys of a projection's tables, those of single columns first. */
export function foreignKeysOf(tables: Tables): readonly NamedForeignKey[] {
  const nameOf = (target: object) =>
    Object.keys(tables).find((name) => tables[name]?.columns === columnsOf(target)) ?? ''
  return Object.entries(tables).flatMap(([table, { columns, options }]) => [
    ...Object.entries(columns).flatMap(
      ([
        column,
        {
          spec: { reference },
        },
      ]) =>
        reference === undefined
          ? []
          : [
              {
                table,
                name: `${table}_${column}_fkey`.slice(0, 63),
                columns: [column],
                target: nameOf(reference.table),
                targetColumns: [reference.column],
              },
            ],
    ),
    ...Object.entries(options?.foreignKeys ?? {}).map(([name, key]) => ({
      table,
      name,
      columns: Object.keys(key.columns),
      target: nameOf(key.table),
      targetColumns: Object.values(key.columns).map(String),
    })),
  ])
}

function columnsOf(table: object): unknown {
  return 'columns' in table ? table.columns : undefined
}
