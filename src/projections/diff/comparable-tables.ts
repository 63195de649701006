import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'

/** A column that both versions have. */
export interface SharedColumn {
  readonly name: string
  /** Whether the values are compared as they are, or else by how they are written. */
  readonly isNative: boolean
  readonly hasCollation: boolean
  readonly hasSameCollation: boolean
}

/** A table that both versions have. */
export interface TablePair {
  readonly name: string
  /** Columns of the primary key, when both versions have the same; empty otherwise. */
  readonly key: readonly SharedColumn[]
  /** What is compared besides the key. */
  readonly compared: readonly SharedColumn[]
  readonly ignored: readonly string[]
  readonly onlyInFrom: readonly string[]
  readonly onlyInTo: readonly string[]
}

/** What there is to compare, and what there is not. */
export interface Comparable {
  readonly pairs: readonly TablePair[]
  readonly onlyInFrom: readonly string[]
  readonly onlyInTo: readonly string[]
}

interface Column {
  readonly name: string
  readonly type: string
  readonly collation: string
  readonly hasEquality: boolean
}

interface TableRow {
  readonly name: string
  readonly columns: readonly Column[]
  readonly key: readonly string[]
}

/**
 * Pairs the tables and columns of two versions by name.
 *
 * @param ignore columns to leave out, as `column` or `table.column`.
 * @throws OPTION_INVALID for one that both versions do not have, or that is part of a key.
 */
export async function readComparable(
  client: pg.ClientBase,
  schemas: { readonly from: string; readonly to: string },
  ignore: readonly string[],
): Promise<Comparable> {
  const from = await readTables(client, schemas.from)
  const to = await readTables(client, schemas.to)
  const pairs = from.flatMap((table) => {
    const other = to.find(({ name }) => name === table.name)
    return other === undefined ? [] : [pairOf(table, other, ignore)]
  })
  requireKnown(pairs, ignore)
  return {
    pairs,
    onlyInFrom: namesMissingIn(from, to),
    onlyInTo: namesMissingIn(to, from),
  }
}

function pairOf(from: TableRow, to: TableRow, ignore: readonly string[]): TablePair {
  const shared = from.columns.flatMap((column) => {
    const other = to.columns.find(({ name }) => name === column.name)
    return other === undefined ? [] : [sharedColumn(column, other)]
  })
  const hasSameKey = from.key.length > 0 && sameNames(from.key, to.key)
  const keyNames = hasSameKey ? from.key : []
  const isIgnored = ({ name }: SharedColumn) =>
    ignore.includes(name) || ignore.includes(`${from.name}.${name}`)
  const values = shared.filter(({ name }) => !keyNames.includes(name))
  return {
    name: from.name,
    key: keyNames.flatMap((name) => shared.filter((column) => column.name === name)),
    compared: values.filter((column) => !isIgnored(column)),
    ignored: values.filter(isIgnored).map(({ name }) => name),
    onlyInFrom: namesMissingIn(from.columns, to.columns),
    onlyInTo: namesMissingIn(to.columns, from.columns),
  }
}

/** Whole numbers and numerics compare with each other; floats would lose digits. */
const numbers: ReadonlySet<string> = new Set(['21', '23', '20', '1700'])

function sharedColumn(from: Column, to: Column): SharedColumn {
  const isOneType = from.type === to.type || (numbers.has(from.type) && numbers.has(to.type))
  return {
    name: from.name,
    isNative: isOneType && from.hasEquality && to.hasEquality,
    hasCollation: from.collation !== '0',
    hasSameCollation: from.collation === to.collation,
  }
}

function requireKnown(pairs: readonly TablePair[], ignore: readonly string[]): void {
  const known = new Set(
    pairs.flatMap(({ name, ignored }) =>
      ignored.flatMap((column) => [column, `${name}.${column}`]),
    ),
  )
  const unknown = ignore.find((column) => !known.has(column))
  if (unknown === undefined) return
  const reason = 'no table has it in both versions beside its key'
  throw new TidemarkError('OPTION_INVALID', `column "${unknown}" cannot be ignored: ${reason}`, {
    details: { option: 'ignore', reason },
  })
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}

function namesMissingIn(
  all: readonly { readonly name: string }[],
  others: readonly { readonly name: string }[],
): readonly string[] {
  return all.map(({ name }) => name).filter((name) => !others.some((other) => other.name === name))
}

/** Types without an order, such as json and point, are compared by how they are written. */
async function readTables(client: pg.ClientBase, schema: string): Promise<readonly TableRow[]> {
  const { rows } = await client.query<TableRow>(
    /* sql */ `
    select
      c.relname::text as name,
      array(
        select json_build_object(
          'name', a.attname,
          'type', a.atttypid::text,
          'collation', a.attcollation::text,
          'hasEquality',
            e.typcategory in ('B', 'D', 'E', 'I', 'N', 'R', 'S', 'T')
            or exists (
              select
              from pg_opclass as o
              join pg_am as m on m.oid = o.opcmethod
              where m.amname = 'btree' and o.opcdefault and o.opcintype = e.oid
            )
        )
        from pg_attribute as a
        join pg_type as t on t.oid = a.atttypid
        join pg_type as e on e.oid = case t.typcategory when 'A' then t.typelem else t.oid end
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
      ) as columns,
      array(
        select a.attname::text
        from pg_index as i
        cross join unnest(i.indkey) with ordinality as k (attnum, n)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary
        order by k.n
      ) as key
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`,
    [schema],
  )
  return rows
}
