import type pg from 'pg'
import type { FaultList } from './fault-list.ts'
import { checkTable, type FoldedLog, type TableName, tableNames } from './fold-log.ts'

interface VersionRow {
  readonly name: string
  readonly version: number
  readonly schema_name: string
  readonly view_schema: string
  readonly tables: readonly TableName[]
}

/** What a table holds of an account, as the fold has it. */
const contents: Readonly<Record<TableName, string>> = {
  balances: "balance || ' ' || entries",
  lasts: 'trail',
  folded: "digest || ' ' || entries",
  stepped: "digest || ' ' || entries",
}

/** Checks the tables of each version that there is, and what the views show. */
export async function checkProjections(
  pool: pg.Pool,
  fold: FoldedLog,
  faults: FaultList,
): Promise<void> {
  for (const version of await readVersions(pool)) {
    const { name, tables, schema_name, view_schema } = version
    if (tables.length === 0) faults.add('projection', `${name} has no tables`)
    for (const table of tables) {
      for (const schema of [schema_name, view_schema]) {
        const found = await readTable(pool, schema, table)
        checkTable(`${schema}.${table}`, found, fold.rows(table), faults)
      }
    }
  }
}

/** Lists all versions, each with those of its tables that have a meaning here. */
export async function readVersions(
  asks: Pick<pg.ClientBase, 'query'>,
): Promise<readonly VersionRow[]> {
  const { rows } = await asks.query<VersionRow>(
    /* sql */ `
    select name, version, schema_name, view_schema, array(
      select c.relname::text
      from pg_class as c
      where c.relnamespace = to_regnamespace(schema_name) and c.relkind = 'r'
        and c.relname = any ($1)
      order by c.relname
    ) as tables
    from tidemark.projections
    order by name, version`,
    [tableNames],
  )
  return rows
}

async function readTable(
  pool: pg.Pool,
  schema: string,
  table: TableName,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ account: string; value: string }>(
    `select account, ${contents[table]} as value from ${schema}.${table}`,
  )
  return new Map(rows.map((row) => [row.account, row.value]))
}
