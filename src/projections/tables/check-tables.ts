import type { ColumnSpec } from './column-spec.ts'
import { foreignKeysOf } from './foreign-keys.ts'
import type { Table, Tables } from './table.ts'

/** Tells why tables cannot be created as they are declared; undefined when nothing is wrong. */
export function faultOfTables(tables: Tables): string | undefined {
  for (const [name, table] of Object.entries(tables)) {
    const fault = faultOfColumns(table) ?? faultOfNames(table)
    if (fault !== undefined) return `table "${name}": ${fault}`
  }
  return faultOfForeignKeys(tables) ?? faultOfIndexNames(tables)
}

function faultOfColumns(table: Table): string | undefined {
  for (const [name, { spec }] of Object.entries(table.columns)) {
    const fault = faultOfColumn(spec)
    if (fault !== undefined) return `column "${name}" ${fault}`
  }
  return undefined
}

function faultOfColumn(spec: ColumnSpec): string | undefined {
  const { defaultValue, generatedAs, isNullable, isPrimaryKey } = spec
  if (isPrimaryKey && isNullable) return 'is part of the key and cannot be nullable'
  if (generatedAs !== undefined) {
    if (isPrimaryKey) return 'is part of the key and cannot be generated'
    if (defaultValue != null) return 'is generated and cannot have a default'
  }
  if (defaultValue == null) return undefined
  try {
    spec.normalize(defaultValue)
    return undefined
  } catch (error) {
    return `has a default that it cannot hold: ${(error as Error).message}`
  }
}

/** Types refuse these; JavaScript does not know types. */
function faultOfNames({ columns, options = {} }: Table): string | undefined {
  const used = [
    ...Object.values(options.unique ?? {}).flat(),
    ...Object.values(options.indexes ?? {}).flatMap((index) =>
      'on' in index ? [...index.on, ...(index.include ?? [])] : index,
    ),
    ...Object.values(options.foreignKeys ?? {}).flatMap((key) => Object.keys(key.columns)),
  ]
  const unknown = used.find((part) => typeof part === 'string' && !Object.hasOwn(columns, part))
  return unknown === undefined ? undefined : `it has no column "${String(unknown)}"`
}

function faultOfForeignKeys(tables: Tables): string | undefined {
  for (const { table, name, columns, target, targetColumns } of foreignKeysOf(tables)) {
    const about = `foreign key "${name}" of table "${table}"`
    const found = tables[target]
    if (found === undefined) return `${about} refers to a table that the projection does not have`
    const key = Object.keys(found.columns).filter(
      (column) => found.columns[column]?.spec.isPrimaryKey,
    )
    if (key.length !== columns.length || !key.every((column) => targetColumns.includes(column))) {
      return `${about} has to refer to the primary key of "${target}": ${key.join(', ')}`
    }
    const typeOf = (owner: string, column = '') => tables[owner]?.columns[column]?.spec.sqlType
    const odd = columns.find(
      (column, i) => typeOf(table, column) !== typeOf(target, targetColumns[i]),
    )
    if (odd !== undefined)
      return `${about}: column "${odd}" has another type than what it refers to`
  }
  return undefined
}

/** Indexes and tables of a schema share their names. */
function faultOfIndexNames(tables: Tables): string | undefined {
  const names = Object.entries(tables).flatMap(([name, { options = {} }]) => [
    name,
    ...Object.keys(options.indexes ?? {}),
    ...Object.keys(options.unique ?? {}),
  ])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return `two of its tables and indexes are named "${twice}"`
  const odd = names.find((name) => !/^[a-z][a-z0-9_]{0,62}$/.test(name))
  return odd === undefined ? undefined : `"${odd}" is not a usable name: use a-z, 0-9 and _`
}
