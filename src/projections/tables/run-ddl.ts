import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import type { AnyProjection } from '../projection.ts'
import { createIndexes, createTables, versionSchema } from './ddl.ts'

/**
 * Creates the tables of a version in its schema, empty and complete enough to apply events to.
 *
 * @throws DEFINITION_INVALID when the server refuses a statement, or one reaches outside the schema.
 *   The caller's transaction is then to be rolled back.
 */
export async function buildTables(client: pg.ClientBase, projection: AnyProjection): Promise<void> {
  await runDdl(client, projection, createTables(projection))
}

/**
 * Creates what may come when the tables are filled: indexes and foreign keys. Locks the tables
 * against writes; a foreign key that does not hold fails with 23503.
 *
 * @throws DEFINITION_INVALID as {@link buildTables}
 */
export async function buildIndexes(
  client: pg.ClientBase,
  projection: AnyProjection,
): Promise<void> {
  await runDdl(client, projection, createIndexes(projection))
}

/**
 * Runs statements that may be the user's with the version's schema as the only one in
 * `search_path`. By `execute`, in which the server refuses to end the transaction.
 */
async function runDdl(client: pg.ClientBase, projection: AnyProjection, ddl: string) {
  if (ddl === '') return
  const schema = versionSchema(projection)
  const { rows } = await client.query<{ path: string }>(
    "select current_setting('search_path') as path",
  )
  await client.query(
    "select set_config('search_path', $1, true), set_config('tidemark.ddl', $2, true)",
    [quoteIdent(schema), ddl],
  )
  const before = await lookAtSession(client)
  await client
    .query("do $ddl$ begin execute current_setting('tidemark.ddl'); end $ddl$")
    .catch((error) => {
      throw refused(projection, error)
    })
  const fault = changeOf(before, await lookAtSession(client)) ?? (await findStray(client, schema))
  if (fault !== undefined) throw invalid(projection, fault)
  await client.query(
    "select set_config('search_path', $1, true), set_config('tidemark.ddl', '', true)",
    [rows[0]?.path ?? ''],
  )
}

type Session = Readonly<Record<string, string>>

/** What a statement may have left behind in the session, which others use next. */
async function lookAtSession(client: pg.ClientBase): Promise<Session> {
  const { rows } = await client.query<{ session: Session }>(/* sql */ `
    select coalesce(jsonb_object_agg(name, setting), '{}')
      || jsonb_build_object('role', current_user) as session
    from pg_settings
    where source = 'session' and name <> 'tidemark.ddl'`)
  return rows[0]?.session ?? {}
}

function changeOf(before: Session, after: Session): string | undefined {
  const names = Object.keys({ ...before, ...after })
  const changed = names.find((name) => before[name] !== after[name])
  return changed && `its SQL changes "${changed}" for what the session does afterwards`
}

/** Finds what the transaction made or changed outside the schema, which would survive the version. */
async function findStray(client: pg.ClientBase, schema: string): Promise<string | undefined> {
  const { rows } = await client.query<{ stray: string }>(
    /* sql */ `
    with made as (
      select c.relnamespace as schema, c.relname as name
      from pg_class as c
      where c.xmin = pg_current_xact_id()::xid
      union all
      select p.pronamespace, p.proname
      from pg_proc as p
      where p.xmin = pg_current_xact_id()::xid
      union all
      select t.typnamespace, t.typname
      from pg_type as t
      where t.xmin = pg_current_xact_id()::xid
      union all
      select e.extnamespace, e.extname
      from pg_extension as e
      where e.xmin = pg_current_xact_id()::xid
    )
    select n.nspname || '.' || made.name as stray
    from made
    join pg_namespace as n on n.oid = made.schema
    where n.nspname <> $1 and n.nspname !~ '^pg_toast'
    union all
    select n.nspname
    from pg_namespace as n
    where n.xmin = pg_current_xact_id()::xid and n.nspname <> $1
    limit 1`,
    [schema],
  )
  const stray = rows[0]?.stray
  return stray && `its SQL makes or changes "${stray}", which is not in the version's schema`
}

/** Says where, for what is the SQL's own fault: syntax, names, types, features, data in it. */
function refused(projection: AnyProjection, error: unknown): unknown {
  const state = sqlstateOf(error)
  const isFault = state !== undefined && /^(0A|22|2B|2F|42)/.test(state)
  if (!isFault || state === sqlstate.insufficientPrivilege) return error
  return invalid(projection, `the server refuses its SQL: ${describe(error as ServerError)}`, error)
}

interface ServerError extends Error {
  readonly hint?: string
  readonly internalPosition?: string
  readonly internalQuery?: string
}

function describe({ message, hint, internalPosition, internalQuery }: ServerError): string {
  const remedy = hint === undefined ? '' : ` (${hint})`
  if (internalPosition === undefined || internalQuery === undefined) return `${message}${remedy}`
  const before = internalQuery.slice(0, Number(internalPosition) - 1)
  const line = internalQuery.split('\n')[before.split('\n').length - 1]
  return `${message} in "${line?.trim()}"${remedy}`
}

function invalid(projection: AnyProjection, reason: string, cause?: unknown): TidemarkError {
  const { name } = projection
  return new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
    details: { name, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
