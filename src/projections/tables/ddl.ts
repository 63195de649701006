import { createHash } from 'node:crypto'
import { quoteIdent } from '../../db/quote-ident.ts'
import { quoteLiteral } from '../../db/quote-literal.ts'
import type { AnyProjection } from '../projection.ts'
import { encodeOrNull } from './column.ts'
import type { AnyColumn, ColumnSpec } from './column-spec.ts'
import { ddlText } from './ddl-text.ts'
import { foreignKeysOf } from './foreign-keys.ts'
import type { Index, IndexPart, Table } from './table.ts'

/** Schema that holds the tables of one version. */
export function versionSchema(projection: AnyProjection): string {
  return `${projection.viewSchema}_v${projection.version}`
}

/**
 * Statements that create the tables of one version in its schema, with all that decides whether an
 * event can be applied: keys, checks, unique constraints and unique indexes. Then the projection's own
 * SQL, if it brings some.
 */
export function createTables(projection: AnyProjection): string {
  const tables = Object.entries(projection.tables)
  return [
    ...tables.map(([name, table]) => createTable(qualify(projection, name), table)),
    ...tables.flatMap(([name, table]) =>
      indexesOf(table)
        .filter(([, index]) => index.unique === true)
        .map(([index, spec]) => createIndex(qualify(projection, name), index, spec)),
    ),
    ...[ddlText(projection)].filter((text) => text !== ''),
  ].join(';\n')
}

/**
 * Statements that come when the tables are filled, and may come at once: indexes that only make
 * reads faster, foreign keys, and what the tables' own `sql` says. Empty when there is nothing.
 *
 * Foreign keys come late because a rebuild may apply the log in parts that are at different
 * positions, so that a row precedes the one it refers to.
 */
export function createIndexes(projection: AnyProjection): string {
  const tables = Object.entries(projection.tables)
  return [
    ...tables.flatMap(([name, table]) =>
      indexesOf(table)
        .filter(([, index]) => index.unique !== true)
        .map(([index, spec]) => createIndex(qualify(projection, name), index, spec)),
    ),
    ...foreignKeysOf(projection.tables).map(({ table, name, columns, target, targetColumns }) =>
      [
        `alter table ${qualify(projection, table)}`,
        `add constraint ${quoteIdent(name)} foreign key (${columns.map(quoteIdent).join(', ')})`,
        `references ${qualify(projection, target)} (${targetColumns.map(quoteIdent).join(', ')})`,
        'deferrable initially deferred',
      ].join(' '),
    ),
    // A last line may be a comment.
    ...tables.flatMap(([, { options }]) =>
      options?.sql === undefined ? [] : [`${options.sql}\n`],
    ),
  ].join(';\n')
}

/** Identifies the shape of a version's tables, to notice that code and database drifted apart. */
export function definitionHash(projection: AnyProjection): string {
  const statements = [createTables(projection), createIndexes(projection)]
  const text = statements.filter((part) => part !== '').join('\n;\n')
  return createHash('sha256').update(text).digest('hex')
}

function qualify(projection: AnyProjection, table: string): string {
  return `${versionSchema(projection)}.${quoteIdent(table)}`
}

function createTable(qualifiedName: string, table: Table): string {
  const columns = Object.entries(table.columns)
  const lines = [
    ...columns.map(([name, column]) => declare(name, column)),
    ...primaryKey(table),
    ...uniqueConstraints(table),
    ...columns.flatMap(([name, { spec }]) => checksOf(quoteIdent(name), spec)),
    ...Object.entries(table.options?.checks ?? {}).map(
      ([name, condition]) => `constraint ${quoteIdent(name)} check (${condition})`,
    ),
  ]
  return `create table ${qualifiedName} (\n  ${lines.join(',\n  ')}\n)`
}

function declare(name: string, column: AnyColumn): string {
  const { sqlType, isNullable, generatedAs } = column.spec
  return [
    `${quoteIdent(name)} ${sqlType}`,
    // "C": keys and rows compare by bytes, whatever the server's locale.
    ...(/^text\b/.test(sqlType) ? ['collate "C"'] : []),
    ...(generatedAs === undefined ? [] : [`generated always as (${generatedAs}) stored`]),
    ...defaultOf(column.spec),
    ...(isNullable ? [] : ['not null']),
  ].join(' ')
}

function defaultOf(spec: ColumnSpec): readonly string[] {
  const { defaultValue, sqlType } = spec
  if (defaultValue === undefined) return []
  const value = defaultValue === null ? null : spec.normalize(defaultValue)
  const encoded = encodeOrNull(spec, value)
  return encoded === null ? [] : [`default ${quoteLiteral(encoded)}::${sqlType}`]
}

function primaryKey(table: Table): readonly string[] {
  const key = Object.entries(table.columns).filter(([, column]) => column.spec.isPrimaryKey)
  const names = key.map(([name]) => quoteIdent(name))
  return names.length === 0 ? [] : [`primary key (${names.join(', ')})`]
}

/** Deferrable ones are checked at the end of a statement; the others row by row. */
function uniqueConstraints(table: Table): readonly string[] {
  const single = Object.entries(table.columns).filter(([, column]) => column.spec.isUnique)
  const unnamed = single.map(([name]) => `unique (${quoteIdent(name)}) deferrable`)
  const named = Object.entries(table.options?.unique ?? {}).map(
    ([name, columns]) =>
      `constraint ${quoteIdent(name)} unique (${columns.map(quoteIdent).join(', ')}) deferrable`,
  )
  return [...unnamed, ...named]
}

function checksOf(column: string, { labels, element }: ColumnSpec): readonly string[] {
  const list = (texts: readonly string[]) => texts.map(quoteLiteral).join(', ')
  const conditions = [
    labels && `${column} in (${list(labels)})`,
    element?.labels && `array_remove(${column}, null) <@ array[${list(element.labels)}]::text[]`,
    element && !element.isNullable && `array_position(${column}, null) is null`,
  ]
  return conditions.filter((text) => typeof text === 'string').map((text) => `check (${text})`)
}

function indexesOf(table: Table): readonly (readonly [string, Index<string>])[] {
  return Object.entries(table.options?.indexes ?? {}).map(([name, index]) => [
    name,
    'on' in index ? index : { on: index },
  ])
}

function createIndex(qualifiedTable: string, name: string, index: Index<string>): string {
  const { on, unique = false, using = 'btree', where, include = [] } = index
  return [
    `create ${unique ? 'unique ' : ''}index ${quoteIdent(name)} on ${qualifiedTable}`,
    `using ${quoteIdent(using)} (${on.map(writePart).join(', ')})`,
    ...(include.length === 0 ? [] : [`include (${include.map(quoteIdent).join(', ')})`]),
    ...(where === undefined ? [] : [`where ${where}`]),
  ].join(' ')
}

function writePart(part: IndexPart<string>): string {
  return typeof part === 'string' ? quoteIdent(part) : part.sql
}
