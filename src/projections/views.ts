import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'
import { grantsOn } from './view-grants.ts'

interface Shown {
  /** Schema of the views. */
  readonly viewSchema: string
  /** Schema of the version's tables. */
  readonly schemaName: string
  /** Schema of the version shown until now: the views on its tables are replaced. */
  readonly before?: string | undefined
}

interface Relation {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/**
 * Makes the views of a projection show one version's tables, in the caller's transaction, so that a
 * reader sees all of one version or all of the other. A view whose columns only grew at the end
 * is replaced in place; another is made anew with the grants of the old one.
 *
 * What is to do is looked up first and then done in one round trip: the views are locked one after
 * the other, and a reader of several of them must find as little time as possible in between.
 *
 * @throws PROJECTION_VIEW_IN_USE when a view of the user's depends on one that has to be made anew.
 */
export async function showVersion(client: pg.ClientBase, shown: Shown): Promise<void> {
  const tables = await relationsIn(client, shown.schemaName, 'r')
  const views = await relationsIn(client, shown.viewSchema, 'v')
  // Views that the user made beside ours stay.
  const before = shown.before === undefined ? [] : await relationsIn(client, shown.before, 'r')
  const dropped = views.filter((view) => has(before, view.name) && !has(tables, view.name))
  const statements = dropped.map((view) => `drop view ${qualify(shown.viewSchema, view.name)}`)
  for (const table of tables) {
    const view = views.find((candidate) => candidate.name === table.name)
    statements.push(...(await statementsFor(client, shown, table, view)))
  }
  await execute(client, statements)
}

/** Drops the views of a projection, when its last version goes. */
export async function dropViews(client: pg.ClientBase, viewSchema: string): Promise<void> {
  const views = await relationsIn(client, viewSchema, 'v')
  await execute(
    client,
    views.map((view) => `drop view ${qualify(viewSchema, view.name)}`),
  )
}

function has(relations: readonly Relation[], name: string): boolean {
  return relations.some((relation) => relation.name === name)
}

async function statementsFor(
  client: pg.ClientBase,
  shown: Shown,
  table: Relation,
  view: Relation | undefined,
): Promise<readonly string[]> {
  const name = qualify(shown.viewSchema, table.name)
  const columns = table.columns.map((column) => quoteIdent(column.name)).join(', ')
  const query = `select ${columns} from ${qualify(shown.schemaName, table.name)}`
  if (view === undefined || onlyGrows(view, table))
    return [`create or replace view ${name} as ${query}`]
  const kept = new Set(table.columns.map((column) => column.name))
  const grants = await grantsOn(client, name, kept)
  return [`drop view ${name}`, `create view ${name} as ${query}`, ...grants]
}

function onlyGrows(view: Relation, table: Relation): boolean {
  return view.columns.every(({ name, type }, index) => {
    const column = table.columns[index]
    return column?.name === name && column.type === type
  })
}

async function execute(client: pg.ClientBase, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return
  try {
    await client.query(statements.join(';\n'))
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.dependentObjectsStillExist) throw error
    const { detail = '', message } = error as Error & { detail?: string }
    const dependents = detail.split('\n').join('; ')
    throw new TidemarkError(
      'PROJECTION_VIEW_IN_USE',
      `a view changes its columns, but something depends on it: ${dependents}. ` +
        'Drop that, switch, and create it again',
      { details: { view: /view (\S+)/.exec(message)?.[1] ?? '', dependents }, cause: error },
    )
  }
}

async function relationsIn(
  client: pg.ClientBase,
  schema: string,
  kind: 'r' | 'v',
): Promise<readonly Relation[]> {
  const { rows } = await client.query<Relation>(
    /* sql */ `
    select
      c.relname::text as name,
      array(
        select json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
      ) as columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind = $2
    order by c.relname`,
    [schema, kind],
  )
  return rows
}

function qualify(schema: string, name: string): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`
}
