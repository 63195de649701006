import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'

interface Row {
  readonly present: boolean
  readonly ours: boolean
  readonly empty: boolean
  readonly may_create: boolean
  readonly user: string
  readonly database: string
}

/**
 * Refuses a schema that holds something else, and a user who may not create one.
 *
 * @throws SCHEMA_FOREIGN, PRIVILEGE_MISSING
 */
export async function requireInstallable(client: pg.ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query<Row>(
    /* sql */ `
    select
      n.oid is not null as present,
      to_regclass($1 || '.sql_objects') is not null
        and to_regclass($1 || '.events') is not null as ours,
      not exists (select from pg_class as c where c.relnamespace = n.oid) as empty,
      has_database_privilege(current_database(), 'create') as may_create,
      current_user::text as user,
      current_database()::text as database
    from (select to_regnamespace($1)::oid as oid) as n`,
    [schema],
  )
  const row = rows[0]
  if (row === undefined) return
  if (row.present && !row.ours && !row.empty) {
    throw new TidemarkError(
      'SCHEMA_FOREIGN',
      `schema "${schema}" exists and holds tables that are not tidemark's: set \`schema\` to another name`,
      { details: { schema } },
    )
  }
  if (!row.may_create) throw createMissing(row)
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
