import type pg from 'pg'
import { quoteIdent } from '../../db/quote-ident.ts'
import type { SharedColumn, TablePair } from './comparable-tables.ts'

/** How the rows of one table differ between two versions. */
export interface TableDiff {
  readonly table: string
  /** Columns of the key by which rows were compared; empty: whole rows were, as many as there are. */
  readonly key: readonly string[]
  readonly compared: readonly string[]
  /** Columns that were left out because the caller said so. */
  readonly ignored: readonly string[]
  /** Columns that one version alone has. They are not compared. */
  readonly columnsOnlyInFrom: readonly string[]
  readonly columnsOnlyInTo: readonly string[]
  /** Rows that are the same in both. */
  readonly same: bigint
  /** Rows of one key that have other values. 0 without a key. */
  readonly differ: bigint
  readonly onlyInFrom: bigint
  readonly onlyInTo: bigint
  /** In how many rows of one key each column differs; those that differ in none are left out. */
  readonly differingColumns: Readonly<Record<string, bigint>>
  /** The first rows that differ, in the order of their keys. */
  readonly samples: readonly RowDiff[]
}

/** A row that differs. Values as Postgres writes them; null is null. */
export interface RowDiff {
  readonly key: Values
  /** The columns that differ; all that were compared, when the other version has no such row. */
  readonly from: Values | null
  readonly to: Values | null
}

export type Values = Readonly<Record<string, string | null>>

interface Schemas {
  readonly from: string
  readonly to: string
}

/**
 * Compares the rows of one table, by key, or without a key as multisets. The server does it, in memory
 * that `work_mem` bounds; nothing but counts and samples travels.
 */
export async function compareTables(
  client: pg.ClientBase,
  schemas: Schemas,
  pair: TablePair,
  samples: number,
): Promise<TableDiff> {
  const tables = {
    from: `${quoteIdent(schemas.from)}.${quoteIdent(pair.name)}`,
    to: `${quoteIdent(schemas.to)}.${quoteIdent(pair.name)}`,
  }
  const counts =
    pair.key.length > 0
      ? await countByKey(client, tables, pair)
      : await countByRow(client, tables, pair)
  const differs = counts.differ + counts.onlyInFrom + counts.onlyInTo > 0n
  const sample = pair.key.length > 0 ? sampleByKey : sampleByRow
  return {
    table: pair.name,
    key: names(pair.key),
    compared: names(pair.compared),
    ignored: pair.ignored,
    columnsOnlyInFrom: pair.onlyInFrom,
    columnsOnlyInTo: pair.onlyInTo,
    ...counts,
    samples: differs && samples > 0 ? await sample(client, tables, pair, samples) : [],
  }
}

type Counts = Pick<TableDiff, 'same' | 'differ' | 'onlyInFrom' | 'onlyInTo' | 'differingColumns'>

async function countByKey(
  client: pg.ClientBase,
  tables: Schemas,
  pair: TablePair,
): Promise<Counts> {
  const inBoth = `${present('f', pair)} and ${present('t', pair)}`
  const ofColumns = pair.compared.map(
    (column, index) => `count(*) filter (where ${inBoth} and ${differs(column)}) as c${index}`,
  )
  const row = await readCounts(
    client,
    /* sql */ `
    select
      ${[
        `count(*) filter (where ${inBoth} and not (${anyDiffers(pair)})) as same`,
        `count(*) filter (where ${inBoth} and (${anyDiffers(pair)})) as differ`,
        `count(*) filter (where not ${present('t', pair)}) as "onlyInFrom"`,
        `count(*) filter (where not ${present('f', pair)}) as "onlyInTo"`,
        ...ofColumns,
      ].join(',\n      ')}
    ${joined(tables, pair)}`,
  )
  const columns = pair.compared.map(({ name }, index) => [name, row(`c${index}`)] as const)
  return {
    same: row('same'),
    differ: row('differ'),
    onlyInFrom: row('onlyInFrom'),
    onlyInTo: row('onlyInTo'),
    differingColumns: Object.fromEntries(columns.filter(([, count]) => count > 0n)),
  }
}

async function sampleByKey(
  client: pg.ClientBase,
  tables: Schemas,
  pair: TablePair,
  limit: number,
): Promise<readonly RowDiff[]> {
  const keys = pair.key.map((column) => [operand('f', column), operand('t', column)])
  const { rows } = await client.query<{
    key: string[]
    from: (string | null)[] | null
    to: (string | null)[] | null
    differs: boolean[]
  }>(/* sql */ `
    select
      ${textArray(keys.map(([f, t]) => `coalesce(${f}, ${t})`))} as key,
      case when ${present('f', pair)} then ${textArray(quoted('f', pair.compared))} end as "from",
      case when ${present('t', pair)} then ${textArray(quoted('t', pair.compared))} end as "to",
      array[${pair.compared.map(differs).join(', ')}]::boolean[] as differs
    ${joined(tables, pair)}
    where not ${present('f', pair)} or not ${present('t', pair)} or ${anyDiffers(pair)}
    order by ${keys.map(([f, t]) => `coalesce(${f}, ${t})`).join(', ')}
    limit ${limit}`)
  return rows.map(({ key, from, to, differs: which }) => {
    const isShown = (index: number) => from === null || to === null || which[index] === true
    return {
      key: valuesOf(pair.key, key, () => true),
      from: from && valuesOf(pair.compared, from, isShown),
      to: to && valuesOf(pair.compared, to, isShown),
    }
  })
}

async function countByRow(
  client: pg.ClientBase,
  tables: Schemas,
  pair: TablePair,
): Promise<Counts> {
  const row = await readCounts(
    client,
    /* sql */ `
    select
      coalesce(sum(least(f, t)), 0) as same,
      coalesce(sum(greatest(f - t, 0)), 0) as "onlyInFrom",
      coalesce(sum(greatest(t - f, 0)), 0) as "onlyInTo"
    from (select sum(f) as f, sum(t) as t from ${bothTables(tables, pair)} ${grouping(pair)}) as r`,
  )
  return {
    same: row('same'),
    differ: 0n,
    onlyInFrom: row('onlyInFrom'),
    onlyInTo: row('onlyInTo'),
    differingColumns: {},
  }
}

async function sampleByRow(
  client: pg.ClientBase,
  tables: Schemas,
  pair: TablePair,
  limit: number,
): Promise<readonly RowDiff[]> {
  const { rows } = await client.query<{ values: (string | null)[]; in_from: boolean }>(/* sql */ `
    select ${textArray(pair.compared.map((_, index) => `c${index}`))} as values, sum(f) > sum(t) as in_from
    from ${bothTables(tables, pair)}
    ${grouping(pair)}
    having sum(f) <> sum(t)
    order by ${['1', ...pair.compared.map((_, index) => `c${index}`)].slice(pair.compared.length > 0 ? 1 : 0).join(', ')}
    limit ${limit}`)
  return rows.map(({ values, in_from }) => {
    const all = valuesOf(pair.compared, values, () => true)
    return { key: {}, from: in_from ? all : null, to: in_from ? null : all }
  })
}

function bothTables({ from, to }: Schemas, { compared }: TablePair): string {
  const columns = (alias: 'f' | 't') =>
    compared.map((column, index) => `${operand(alias, column)} as c${index}, `).join('')
  return /* sql */ `(
      select ${columns('f')}1 as f, 0 as t from ${from} as f
      union all
      select ${columns('t')}0, 1 from ${to} as t
    ) as b`
}

function grouping({ compared }: TablePair): string {
  return compared.length === 0
    ? 'group by ()'
    : `group by ${compared.map((_, index) => `c${index}`).join(', ')}`
}

function joined({ from, to }: Schemas, { key }: TablePair): string {
  const on = key.map((column) => `${keyOperand('f', column)} = ${keyOperand('t', column)}`)
  return `from ${from} as f full join ${to} as t on ${on.join(' and ')}`
}

/** Columns of a primary key are never null. */
function present(alias: 'f' | 't', { key }: TablePair): string {
  return `${alias}.${quoteIdent(key[0]?.name ?? '')} is not null`
}

function anyDiffers({ compared }: TablePair): string {
  return compared.length === 0 ? 'false' : compared.map(differs).join(' or ')
}

function differs(column: SharedColumn): string {
  return `${operand('f', column)} is distinct from ${operand('t', column)}`
}

/** Texts are the same when their bytes are. */
function operand(alias: 'f' | 't', column: SharedColumn): string {
  const name = `${alias}.${quoteIdent(column.name)}`
  if (!column.isNative) return `(${name}::text collate "C")`
  return column.hasCollation ? `(${name} collate "C")` : name
}

/** As the index has it, so that large tables can be merged in its order. */
function keyOperand(alias: 'f' | 't', column: SharedColumn): string {
  return column.isNative && column.hasSameCollation
    ? `${alias}.${quoteIdent(column.name)}`
    : operand(alias, column)
}

function quoted(alias: 'f' | 't', columns: readonly SharedColumn[]): readonly string[] {
  return columns.map(({ name }) => `${alias}.${quoteIdent(name)}`)
}

function textArray(expressions: readonly string[]): string {
  return `array[${expressions.map((one) => `${one}::text`).join(', ')}]::text[]`
}

function names(columns: readonly SharedColumn[]): readonly string[] {
  return columns.map(({ name }) => name)
}

function valuesOf(
  columns: readonly SharedColumn[],
  values: readonly (string | null)[],
  isShown: (index: number) => boolean,
): Values {
  const entries = columns.map(({ name }, index) => [name, values[index] ?? null] as const)
  return Object.fromEntries(entries.filter((_, index) => isShown(index)))
}

async function readCounts(
  client: pg.ClientBase,
  text: string,
): Promise<(column: string) => bigint> {
  const { rows } = await client.query<Record<string, string>>(text)
  return (column) => BigInt(rows[0]?.[column] ?? 0)
}
