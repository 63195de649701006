import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'

interface Shown {
  /** Schema of the views. */
  readonly viewSchema: string
  /** Schema of the version's tables. */
  readonly schemaName: string
}

/**
 * Makes the views of a projection show one version's tables, in the caller's transaction, so that a
 * reader sees all of one version or all of the other. A view whose columns only grew at the end
 * is replaced in place; another is made anew with the grants of the old one.
 *
 * @throws PROJECTION_VIEW_IN_USE when a view of the user's depends on one that has to be made anew.
 */
export async function showVersion(client: pg.ClientBase, shown: Shown): Promise<void> {
  const tables = await namesIn(client, shown.schemaName, 'r')
  const views = await namesIn(client, shown.viewSchema, 'v')
  for (const view of views.filter((name) => !tables.includes(name))) {
    await dropView(client, shown, view)
  }
  for (const table of tables) await showTable(client, shown, table)
}

/** Drops the views of a projection, when its last version goes. */
export async function dropViews(client: pg.ClientBase, viewSchema: string): Promise<void> {
  for (const view of await namesIn(client, viewSchema, 'v')) {
    await dropView(client, { viewSchema, schemaName: '' }, view)
  }
}

async function showTable(client: pg.ClientBase, shown: Shown, table: string): Promise<void> {
  const columns = await columnsOf(client, shown.schemaName, table)
  const view = `${quoteIdent(shown.viewSchema)}.${quoteIdent(table)}`
  const query = /* sql */ `select ${columns.map(quoteIdent).join(', ')}
    from ${quoteIdent(shown.schemaName)}.${quoteIdent(table)}`
  await client.query('savepoint tidemark_view')
  try {
    await client.query(`create or replace view ${view} as ${query}`)
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.invalidTableDefinition) throw error
    await client.query('rollback to savepoint tidemark_view')
    const grants = await grantsOn(client, view)
    await dropView(client, shown, table)
    await client.query(`create view ${view} as ${query}`)
    for (const grant of grants) await client.query(grant)
  }
  await client.query('release savepoint tidemark_view')
}

async function dropView(client: pg.ClientBase, shown: Shown, name: string): Promise<void> {
  const view = `${quoteIdent(shown.viewSchema)}.${quoteIdent(name)}`
  try {
    await client.query(`drop view ${view}`)
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.dependentObjectsStillExist) throw error
    const { detail } = error as { detail?: string }
    const dependents = detail?.split('\n').join('; ') ?? ''
    throw new TidemarkError(
      'PROJECTION_VIEW_IN_USE',
      `view ${view} changes its columns, but something depends on it: ${dependents}. ` +
        'Drop that, switch, and create it again',
      { details: { view, dependents }, cause: error },
    )
  }
}

async function grantsOn(client: pg.ClientBase, view: string): Promise<string[]> {
  const { rows } = await client.query<{
    privilege: string
    grantee: string | null
    option: boolean
  }>(
    /* sql */ `
    select a.privilege_type as privilege, r.rolname::text as grantee, a.is_grantable as option
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    left join pg_roles as r on r.oid = a.grantee
    where c.oid = $1::regclass
      and a.grantee <> c.relowner`,
    [view],
  )
  return rows.map(({ privilege, grantee, option }) => {
    const to = grantee === null ? 'public' : quoteIdent(grantee)
    return `grant ${privilege} on ${view} to ${to}${option ? ' with grant option' : ''}`
  })
}

async function namesIn(client: pg.ClientBase, schema: string, kind: 'r' | 'v'): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    /* sql */ `
    select c.relname::text as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind = $2
    order by c.relname`,
    [schema, kind],
  )
  return rows.map((row) => row.name)
}

async function columnsOf(client: pg.ClientBase, schema: string, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    /* sql */ `
    select a.attname::text as name
    from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
    order by a.attnum`,
    [schema, table],
  )
  return rows.map((row) => row.name)
}
