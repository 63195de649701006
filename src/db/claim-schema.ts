import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'

interface Row {
  readonly present: boolean
  readonly ours: boolean
  readonly empty: boolean
  readonly may_create: boolean
  readonly may_change: boolean
  readonly user: string
  readonly database: string
}

/** What marks a schema as a log's, so that an installation which was cut off is recognised. */
const mark = 'Event log of tidemark. Managed by its migrations.'

/**
 * Creates the schema of a log and marks it as one, unless that was done.
 *
 * @throws SCHEMA_FOREIGN when it holds something else.
 * @throws PRIVILEGE_MISSING when the user may not create a schema.
 */
export async function claimSchema(client: pg.ClientBase, schema: string): Promise<void> {
  if (await isClaimed(client, schema)) return
  await client.query('begin')
  await client.query(`create schema if not exists ${schema}`)
  await client.query(`comment on schema ${schema} is '${mark}'`)
  await client.query('commit')
}

async function isClaimed(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { rows } = await client.query<Row>(
    /* sql */ `
    select
      n.oid is not null as present,
      coalesce(obj_description(n.oid, 'pg_namespace') = $2, false)
        or to_regclass($1 || '.events') is not null and to_regclass($1 || '.sql_objects') is not null
        as ours,
      not exists (select from pg_class as c where c.relnamespace = n.oid)
        and not exists (select from pg_proc as p where p.pronamespace = n.oid)
        and not exists (select from pg_type as t where t.typnamespace = n.oid) as empty,
      has_database_privilege(current_database(), 'create') as may_create,
      n.oid is null or has_schema_privilege(n.oid, 'create') as may_change,
      current_user::text as user,
      current_database()::text as database
    from (select to_regnamespace($1)::oid as oid) as n`,
    [schema, mark],
  )
  const [row] = rows as [Row]
  if (row.present && !row.ours && !row.empty) {
    throw new TidemarkError(
      'SCHEMA_FOREIGN',
      `schema "${schema}" exists and holds what is not tidemark's: set \`schema\` to another name`,
      { details: { schema } },
    )
  }
  if (!row.present && !row.may_create) throw createMissing(row)
  if (!row.may_change) throw changeMissing(row, schema)
  return row.present && row.ours
}

function changeMissing(row: Row, schema: string): TidemarkError {
  const operation = `change schema ${schema}`
  const remedy = 'run the migrations as its owner'
  return new TidemarkError(
    'PRIVILEGE_MISSING',
    `user "${row.user}" may not ${operation}: ${remedy}`,
    {
      details: { operation, remedy },
    },
  )
}

function createMissing(row: Row): TidemarkError {
  const operation = `create a schema in database "${row.database}"`
  const remedy = `grant create on database "${row.database}" to "${row.user}"`
  return new TidemarkError(
    'PRIVILEGE_MISSING',
    `user "${row.user}" may not ${operation}. Run: ${remedy};`,
    { details: { operation, remedy } },
  )
}
