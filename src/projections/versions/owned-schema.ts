import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'

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
  const comment = await commentOf(client, schema)
  const mark = markOf(names)
  if (comment === undefined) {
    await client.query(`create schema ${quoteIdent(schema)}`)
    await client.query(`comment on schema ${quoteIdent(schema)} is '${mark}'`)
  } else if (comment !== mark) {
    throw foreign(schema, 'set `schema` in the projection to another name')
  }
}

/**
 * Drops a schema of this log with all that is in it.
 *
 * @throws SCHEMA_FOREIGN when this log did not create it.
 */
export async function dropOwnedSchema(
  client: pg.ClientBase,
  names: LogNames,
  schema: string,
): Promise<void> {
  const comment = await commentOf(client, schema)
  if (comment === undefined) return
  if (comment !== markOf(names)) throw foreign(schema, 'nothing was dropped')
  await client.query(`drop schema ${quoteIdent(schema)} cascade`)
}

/** Undefined when there is no such schema. */
async function commentOf(
  client: pg.ClientBase,
  schema: string,
): Promise<string | null | undefined> {
  const { rows } = await client.query<{ comment: string | null }>(
    "select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = $1",
    [schema],
  )
  return rows[0]?.comment
}

function foreign(schema: string, remedy: string): TidemarkError {
  return new TidemarkError(
    'SCHEMA_FOREIGN',
    `schema "${schema}" exists and this log did not create it: ${remedy}`,
    { details: { schema } },
  )
}

function markOf(names: LogNames): string {
  return `Projections of the tidemark log in schema "${names.schema}". Managed by tidemark.`
}
