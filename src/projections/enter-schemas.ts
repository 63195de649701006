import type pg from 'pg'
import { quoteIdent } from '../db/quote-ident.ts'

/**
 * Has names without a schema mean what the given schemas hold, the first ones first, for the rest of the
 * transaction. What the user's own search path holds is found behind them.
 */
export async function enterSchemas(
  client: pg.ClientBase,
  schemas: readonly string[],
): Promise<void> {
  await client.query({
    name: 'tidemark-enter-schemas',
    text: "select set_config('search_path', concat_ws(', ', $1::text, nullif(current_setting('search_path'), '')), true)",
    values: [schemas.map(quoteIdent).join(', ')],
  })
}
