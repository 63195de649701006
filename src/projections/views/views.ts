import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { readDependents } from './dependent-views.ts'
import { literal, type SavedView, saveViews } from './saved-view.ts'

interface Shown {
  /** Schema of the views. */
  readonly viewSchema: string
  /** Schema of the version's tables. */
  readonly schemaName: string
  /** Schema of the version shown until now: the views on its tables are replaced. */
  readonly before?: string | undefined
  /** How long to wait for readers, all views together. Default: as the server is set, for each. */
  readonly lockTimeoutMs?: number | undefined
  /** Whether views are locked from the last to the first. */
  readonly isReversed?: boolean
}

interface Relation {
  readonly oid: string
  readonly name: string
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly collation: string
  }[]
}

interface Statement {
  readonly text: string
  /** The user's view that it makes again. */
  readonly dependent?: string
}

/**
 * Makes the views of a projection show one version's tables, in the caller's transaction, so that a
 * reader sees all of one version or all of the other.
 *
 * A view keeps the order of its columns, and new ones follow: so it is replaced in place unless a column
 * went or has another type. Then it is made anew, and so are the views of the user's that depend on it.
 * Options, owners, grants and comments stay as they were.
 *
 * What is to do is looked up first and then done in one round trip: the views are locked one after
 * the other, and a reader of several of them must find as little time as possible in between.
 *
 * @throws PROJECTION_VIEW_IN_USE when something depends on a view that has to be made anew, and cannot be
 *   made again itself: what it is, is said.
 */
export async function showVersion(client: pg.ClientBase, shown: Shown): Promise<void> {
  const inOrder = (all: readonly Relation[]) => (shown.isReversed ? all.toReversed() : all)
  const tables = inOrder(await relationsIn(client, shown.schemaName, 'r'))
  const views = inOrder(await relationsIn(client, shown.viewSchema, 'v'))
  // Views that the user made beside ours stay.
  const before = shown.before === undefined ? [] : await relationsIn(client, shown.before, 'r')
  const viewOf = (table: Relation) => views.find(({ name }) => name === table.name)
  const gone = views.filter((view) => has(before, view.name) && !has(tables, view.name))
  const anew = tables.filter((table) => !mayReplace(viewOf(table), table))
  const lost = [...gone, ...anew.flatMap((table) => viewOf(table) ?? [])]
  const dependents = await readDependents(client, oidsOf(lost))
  const saved = await saveAll(
    client,
    tables.flatMap((table) => viewOf(table) ?? []),
  )
  const remade = lost.flatMap(({ oid }) => saved.get(oid) ?? [])
  requireRemakable([...remade, ...dependents])

  const statements: Statement[] = [
    ...dependents.toReversed().map(({ name }) => ({ text: `drop view ${name}`, dependent: name })),
    ...lost.map((view) => ({ text: `drop view ${qualify(shown.viewSchema, view.name)}` })),
    ...tables.flatMap((table) => {
      const view = viewOf(table)
      const kept = view === undefined ? undefined : saved.get(view.oid)
      return makeView(shown, table, view, kept, anew.includes(table))
    }),
    ...dependents.flatMap((view) => makeAgain(view)),
  ]
  await execute(client, statements, shown.lockTimeoutMs)
}

/** Drops the views of a projection, when its last version goes. */
export async function dropViews(client: pg.ClientBase, viewSchema: string): Promise<void> {
  const views = await relationsIn(client, viewSchema, 'v')
  const statements = views.map(({ name }) => ({ text: `drop view ${qualify(viewSchema, name)}` }))
  await execute(client, statements, undefined)
}

function has(relations: readonly Relation[], name: string): boolean {
  return relations.some((relation) => relation.name === name)
}

function oidsOf(relations: readonly Relation[]): readonly string[] {
  return relations.map(({ oid }) => oid)
}

async function saveAll(
  client: pg.ClientBase,
  views: readonly Relation[],
): Promise<ReadonlyMap<string, SavedView>> {
  const saved = await saveViews(client, oidsOf(views))
  return new Map(
    views.flatMap(({ oid }, index) => {
      const view = saved[index]
      return view === undefined ? [] : [[oid, view] as const]
    }),
  )
}

/** Whether `create or replace view` can do it: every column is still there, as it was. */
function mayReplace(view: Relation | undefined, table: Relation): boolean {
  if (view === undefined) return true
  return view.columns.every((column) =>
    table.columns.some(
      ({ name, type, collation }) =>
        name === column.name && type === column.type && collation === column.collation,
    ),
  )
}

function makeView(
  shown: Shown,
  table: Relation,
  view: Relation | undefined,
  saved: SavedView | undefined,
  isAnew: boolean,
): readonly Statement[] {
  const name = qualify(shown.viewSchema, table.name)
  const columns = inOrderOf(view, table).map(quoteIdent).join(', ')
  const query = `select ${columns} from ${qualify(shown.schemaName, table.name)}`
  const verb = isAnew ? 'create view' : 'create or replace view'
  const text = `${verb} ${name}${saved?.options ?? ''} as ${query}`
  const kept = new Set(table.columns.map((column) => column.name))
  const dress = isAnew ? saved?.dress((column) => kept.has(column)) : []
  return [{ text }, ...(dress ?? []).map((one) => ({ text: one }))]
}

/** Columns that a view had come first, in its order, and the others as they are declared. */
function inOrderOf(view: Relation | undefined, table: Relation): readonly string[] {
  const names = table.columns.map((column) => column.name)
  const old = (view?.columns ?? [])
    .map((column) => column.name)
    .filter((one) => names.includes(one))
  return [...old, ...names.filter((one) => !old.includes(one))]
}

function makeAgain(view: SavedView): readonly Statement[] {
  const { name, options, query } = view
  const statements = [`create view ${name}${options} as ${query}`, ...view.dress(() => true)]
  return statements.map((text) => ({ text, dependent: name }))
}

function requireRemakable(views: readonly SavedView[]): void {
  const view = views.find(({ obstacle }) => obstacle !== null)
  if (view === undefined) return
  const dependents = `view ${view.name} has ${view.obstacle}`
  throw inUse(view.name, dependents, undefined)
}

async function execute(
  client: pg.ClientBase,
  statements: readonly Statement[],
  lockTimeoutMs: number | undefined,
): Promise<void> {
  if (statements.length === 0) return
  try {
    await client.query(`do ${literal(block(statements, lockTimeoutMs))}`)
  } catch (error) {
    throw explain(error)
  }
}

/**
 * One statement of all, so that they share the time to wait for readers; each tells which view of the
 * user's it was about.
 */
function block(statements: readonly Statement[], lockTimeoutMs: number | undefined): string {
  const limit =
    lockTimeoutMs === undefined
      ? ''
      : `perform set_config('lock_timeout', greatest(1, ${lockTimeoutMs} - floor(
           1000 * extract(epoch from clock_timestamp() - v_began)))::text, true);`
  const lines = statements.map(({ text, dependent }) =>
    [limit, `v_dependent := ${literal(dependent ?? '')};`, `execute ${literal(text)};`].join('\n'),
  )
  return `
declare
  v_began timestamptz := clock_timestamp();
  v_dependent text;
  v_detail text;
begin
  ${lines.join('\n  ')}
exception
  when lock_not_available or deadlock_detected then
    raise;
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    raise exception using
      errcode = sqlstate, message = sqlerrm, detail = v_detail, table = v_dependent;
end`
}

interface ServerError extends Error {
  readonly detail?: string
  readonly table?: string
}

/** What depends on a view and cannot be made again. */
function explain(error: unknown): unknown {
  const state = sqlstateOf(error)
  const { detail = '', message, table = '' } = error as ServerError
  if (state === sqlstate.dependentObjectsStillExist) {
    return inUse(/view (\S+)/.exec(message)?.[1] ?? '', detail.split('\n').join('; '), error)
  }
  if (table !== '' && isMistake(state)) {
    return inUse(table, `view ${table} cannot be made again: ${message}`, error)
  }
  return error
}

/** The query of a view does not fit the new columns, or the view is somebody else's. */
function isMistake(state: string | undefined): boolean {
  return state?.startsWith('42') === true
}

function inUse(view: string, dependents: string, cause: unknown): TidemarkError {
  return new TidemarkError(
    'PROJECTION_VIEW_IN_USE',
    `a view changes its columns, but something depends on it: ${dependents}. ` +
      'Drop that, switch, and create it again',
    { details: { view, dependents }, ...(cause === undefined ? {} : { cause }) },
  )
}

async function relationsIn(
  client: pg.ClientBase,
  schema: string,
  kind: 'r' | 'v',
): Promise<readonly Relation[]> {
  const { rows } = await client.query<Relation>(
    /* sql */ `
    select
      c.oid::text as oid,
      c.relname::text as name,
      array(
        select json_build_object(
          'name', a.attname,
          'type', format_type(a.atttypid, a.atttypmod),
          'collation', a.attcollation::text
        )
        from pg_attribute as a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
      ) as columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1
      -- A table in partitions is one table.
      and case c.relkind when 'p' then 'r' else c.relkind end = $2
      and not c.relispartition
    order by c.relname`,
    [schema, kind],
  )
  return rows
}

function qualify(schema: string, name: string): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`
}
