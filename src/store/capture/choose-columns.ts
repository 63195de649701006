import { optionInvalid } from '../../core/option-invalid.ts'
import type { ColumnFilter } from './capture-arguments.ts'
import { notCapturable, type TableColumn, type TableFacts } from './captured-table.ts'

/**
 * Chooses the key of a capture: the primary key, or the columns that are named, which no two rows may share.
 *
 * @throws TABLE_NOT_CAPTURABLE, OPTION_INVALID
 */
export function chooseKey(
  table: TableFacts,
  named: readonly string[] | undefined,
): readonly string[] {
  const { sqlName } = table
  const key =
    named === undefined
      ? table.keys.find(({ isPrimary }) => isPrimary)
      : table.keys.find(({ columns }) => isSameSet(columns, named))
  if (key === undefined && named === undefined) {
    throw notCapturable(
      sqlName,
      'it has no primary key: add one, or name the columns of a unique index as the key',
    )
  }
  if (key === undefined) {
    throw optionInvalid('key', 'no unique index of the table has just these columns, and all rows')
  }
  if (!key.isImmediate) {
    throw notCapturable(
      sqlName,
      'its key is deferrable, so that two rows can have one key for a while',
    )
  }
  const columns = named ?? key.columns
  for (const name of columns) requireKeyColumn(table, findColumn(table, name, 'key'))
  return columns
}

/**
 * Checks which columns are to be recorded. The key always is.
 *
 * @throws OPTION_INVALID
 */
export function chooseFilter(
  table: TableFacts,
  key: readonly string[],
  wanted: { readonly columns?: readonly string[]; readonly except?: readonly string[] },
): ColumnFilter | null {
  const { columns, except } = wanted
  if (columns !== undefined && except !== undefined) {
    throw optionInvalid('except', 'columns says already which are recorded')
  }
  for (const name of columns ?? []) findColumn(table, name, 'columns')
  for (const name of except ?? []) {
    findColumn(table, name, 'except')
    if (key.includes(name)) throw optionInvalid('except', `"${name}" is of the key`)
  }
  if (columns !== undefined) {
    const all = new Set([...key, ...columns])
    return { mode: 'columns', columns: [...all].filter((name) => !isVirtual(table, name)) }
  }
  const virtual = table.columns.filter((column) => column.isVirtual).map(({ name }) => name)
  const all = [...new Set([...(except ?? []), ...virtual])]
  return all.length === 0 ? null : { mode: 'except', columns: all }
}

/** Lists the columns that are recorded. */
export function recordedColumns(
  table: TableFacts,
  filter: ColumnFilter | null,
): readonly TableColumn[] {
  return table.columns.filter(
    ({ name }) => filter === null || (filter.mode === 'columns') === filter.columns.includes(name),
  )
}

/** Whether a column has numbers that doubles, and so JSON's readers, cannot hold. */
export function isExact({ baseType }: TableColumn): boolean {
  return baseType === 'bigint' || baseType === 'numeric'
}

function requireKeyColumn(table: TableFacts, column: TableColumn): void {
  if (!column.isNotNull) {
    throw notCapturable(table.sqlName, `"${column.name}" of its key can be null`)
  }
  if (column.isVirtual) throw notCapturable(table.sqlName, `"${column.name}" is not stored`)
  // Its texts depend on the locale of the session. Of all others different values have different texts.
  if (column.baseType === 'money') {
    throw notCapturable(table.sqlName, `"${column.name}" of its key is money: name another key`)
  }
}

function findColumn(table: TableFacts, name: string, option: string): TableColumn {
  const column = table.columns.find((one) => one.name === name)
  if (column !== undefined) return column
  throw optionInvalid(option, `table ${table.sqlName} has no column "${name}"`)
}

function isVirtual(table: TableFacts, name: string): boolean {
  return table.columns.some((column) => column.name === name && column.isVirtual)
}

function isSameSet(columns: readonly string[], others: readonly string[]): boolean {
  return columns.length === others.length && others.every((name) => columns.includes(name))
}
