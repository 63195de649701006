import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstateOf } from '../../db/sqlstate.ts'

/** A column of a table that may be captured. */
export interface TableColumn {
  readonly name: string
  /** Type with its modifiers, as SQL writes it. */
  readonly type: string
  /** Type without, that of the base for a domain. */
  readonly baseType: string
  readonly isNotNull: boolean
  /** Computed when it is read, so that triggers do not see it. */
  readonly isVirtual: boolean
}

/** A unique index whose columns may be a key. */
export interface TableKey {
  readonly isPrimary: boolean
  readonly isImmediate: boolean
  readonly columns: readonly string[]
}

/** A table, as the catalog describes it. */
export interface TableFacts {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Schema and name, as SQL writes them. */
  readonly sqlName: string
  readonly kind: string
  readonly persistence: string
  readonly isPartition: boolean
  readonly hasRelatives: boolean
  readonly columns: readonly TableColumn[]
  readonly keys: readonly TableKey[]
  /** Tables that hold the rows: its partitions, or itself. */
  readonly leaves: readonly string[]
}

/**
 * Looks a table up by its name, as SQL writes it.
 *
 * @throws TABLE_NOT_CAPTURABLE when there is none.
 */
export async function readTable(client: pg.ClientBase, table: string): Promise<TableFacts> {
  const oid = await findTable(client, table)
  if (oid === null) throw notCapturable(table, 'there is no such table')
  const { rows } = await client.query<{ facts: TableFacts }>(factsSql, [oid])
  const facts = rows[0]?.facts
  if (facts === undefined) throw notCapturable(table, 'there is no such table')
  return facts
}

/**
 * Says why events of a table would not be what happened to its rows, if they would not.
 *
 * @throws TABLE_NOT_CAPTURABLE
 */
export function requireCapturable(table: TableFacts, { schema }: LogNames): void {
  const reason = reasonAgainst(table, schema)
  if (reason !== undefined) throw notCapturable(table.sqlName, reason)
}

/** Makes the error that says why a table is not captured. */
export function notCapturable(table: string, reason: string): TidemarkError {
  return new TidemarkError('TABLE_NOT_CAPTURABLE', `table ${table} cannot be captured: ${reason}`, {
    details: { table, reason },
  })
}

const kinds: Readonly<Record<string, string>> = {
  v: 'it is a view: capture the tables behind it',
  m: 'it is a materialized view: capture the tables behind it',
  f: 'it is a foreign table, which others change without its triggers: capture it where it is',
  S: 'it is a sequence',
  i: 'it is an index',
  c: 'it is a type',
}

function reasonAgainst(table: TableFacts, logSchema: string): string | undefined {
  if (table.kind !== 'r' && table.kind !== 'p') return kinds[table.kind] ?? 'it is no table'
  if ([logSchema, 'pg_catalog', 'information_schema', 'pg_toast'].includes(table.schema)) {
    return `schema "${table.schema}" is not the application's`
  }
  if (table.persistence === 't') return 'it is temporary'
  if (table.persistence === 'u') {
    return 'it is unlogged: a crash of the server empties it, and no event would say so'
  }
  if (table.isPartition) return 'it is a partition: capture the table that it is a part of'
  if (table.hasRelatives) {
    return 'it inherits, or is inherited from: keys are not unique over such tables'
  }
  return undefined
}

async function findTable(client: pg.ClientBase, table: string): Promise<string | null> {
  try {
    const { rows } = await client.query<{ oid: string | null }>(
      'select to_regclass($1)::oid::text as oid',
      [table],
    )
    return rows[0]?.oid ?? null
  } catch (error) {
    // A name that SQL would not take: 42602, 0A000 for one with a database, 22023.
    if (['42602', '0A000', '22023', '42601'].includes(sqlstateOf(error) ?? '')) return null
    throw error
  }
}

const factsSql = /* sql */ `
  select json_build_object(
    'oid', c.oid::text,
    'schema', n.nspname,
    'name', c.relname,
    'sqlName', format('%I.%I', n.nspname, c.relname),
    'kind', c.relkind,
    'persistence', c.relpersistence,
    'isPartition', c.relispartition,
    'hasRelatives', c.relkind = 'r' and not c.relispartition and exists (
      select
      from pg_inherits as h
      where c.oid in (h.inhrelid, h.inhparent)
    ),
    'columns', (
      select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'baseType', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
        'isNotNull', a.attnotnull,
        'isVirtual', a.attgenerated::text = 'v'
      ) order by a.attnum), '[]')
      from pg_attribute as a
      join pg_type as t on t.oid = a.atttypid
      where a.attrelid = c.oid
        and a.attnum > 0
        and not a.attisdropped
    ),
    'keys', (
      select coalesce(json_agg(json_build_object(
        'isPrimary', i.indisprimary,
        'isImmediate', i.indimmediate,
        'columns', (
          select json_agg(a.attname order by k.ordinality)
          from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k (attnum, ordinality)
          join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
        )
      ) order by i.indisprimary desc, i.indexrelid), '[]')
      from pg_index as i
      where i.indrelid = c.oid
        and i.indisunique
        and i.indisvalid
        and i.indpred is null
        and i.indexprs is null
    ),
    'leaves', (
      select coalesce(json_agg(format('%I.%I', pn.nspname, p.relname) order by p.oid), '[]')
      from pg_class as p
      join pg_namespace as pn on pn.oid = p.relnamespace
      where p.relkind = 'r'
        and (
          p.oid = c.oid
          or c.relkind = 'p' and p.oid in (select l.relid from pg_partition_tree(c.oid) as l)
        )
    )
  ) as facts
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = $1::oid`
