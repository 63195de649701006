import { createHash } from 'node:crypto'
import { quoteIdent } from '../db/quote-ident.ts'
import type { AnyColumn } from './column.ts'
import type { AnyProjection } from './projection.ts'
import type { Table } from './table.ts'

/** Schema that holds the tables of one version. */
export function versionSchema(projection: AnyProjection): string {
  return `${projection.viewSchema}_v${projection.version}`
}

/** Statements that create the tables of one version in its schema. */
export function createTables(projection: AnyProjection): string {
  return Object.entries(projection.tables)
    .map(([name, table]) => createTable(`${versionSchema(projection)}.${quoteIdent(name)}`, table))
    .join(';\n')
}

/** Identifies the shape of a version's tables, to notice that code and database drifted apart. */
export function definitionHash(projection: AnyProjection): string {
  return createHash('sha256').update(createTables(projection)).digest('hex')
}

function createTable(qualifiedName: string, table: Table): string {
  const columns = Object.entries(table.columns).map(([name, column]) => declare(name, column))
  const key = Object.entries(table.columns)
    .filter(([, column]) => column.spec.isPrimaryKey)
    .map(([name]) => quoteIdent(name))
  const constraint = key.length === 0 ? [] : [`primary key (${key.join(', ')})`]
  return `create table ${qualifiedName} (\n  ${[...columns, ...constraint].join(',\n  ')}\n)`
}

function declare(name: string, column: AnyColumn): string {
  const { sqlType, isNullable } = column.spec
  // "C": keys and rows compare by bytes, whatever the server's locale.
  const collation = sqlType === 'text' ? ' collate "C"' : ''
  return `${quoteIdent(name)} ${sqlType}${collation}${isNullable ? '' : ' not null'}`
}
