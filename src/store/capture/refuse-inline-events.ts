import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'

/**
 * Refuses a capture whose events an inline projection reads: the application that changes the table does not
 * apply it, and could not commit.
 *
 * @throws PROJECTION_STATE_INVALID
 */
export async function refuseInlineEvents(
  client: pg.ClientBase,
  { schema }: LogNames,
  category: string,
): Promise<void> {
  const types = ['captured', 'created', 'changed', 'deleted'].map((kind) => `${category}.${kind}`)
  const { rows } = await client.query<{ name: string; version: number }>(
    `select name, version from ${schema}.inline_projections where types && $1 order by name`,
    [types],
  )
  const [first] = rows
  if (first === undefined) return
  const { name, version } = first
  throw new TidemarkError(
    'PROJECTION_STATE_INVALID',
    `projection "${name}" reads these events and is inline, which who changes the table cannot apply: ` +
      `make it asynchronous, \`tidemark mode ${name} async\``,
    { details: { projection: name, version, state: 'inline' } },
  )
}
