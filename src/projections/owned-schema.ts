import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { quoteIdent } from '../db/quote-ident.ts'

/**
 * Creates a schema for projections unless it stands, and marks it as this log's own.
 *
 * @throws SCHEMA_FOREIGN when a schema of the name exists that this log did not create.
 */
export async function createOwnedSchema(
  client: pg.ClientBase,
  names: LogNames,
  schema: string,
): Promise<void> {
  const { rows } = await client.query<{ comment: string | null }>(
    "select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = $1",
    [schema],
  )
  const mark = markOf(names)
  if (rows[0] === undefined) {
    await client.query(`create schema ${quoteIdent(schema)}`)
    await client.query(`comment on schema ${quoteIdent(schema)} is '${mark}'`)
  } else if (rows[0].comment !== mark) {
    throw new TidemarkError(
      'SCHEMA_FOREIGN',
      `schema "${schema}" exists and this log did not create it: ` +
        'set `schema` in the projection to another name',
      { details: { schema } },
    )
  }
}

/** Drops a schema of this log with the tables in it. */
export async function dropOwnedSchema(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query(`drop schema if exists ${quoteIdent(schema)} cascade`)
}

function markOf(names: LogNames): string {
  return `Projections of the tidemark log in schema "${names.schema}". Managed by tidemark.`
}
