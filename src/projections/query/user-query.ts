import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { sqlstateOf } from '../../db/sqlstate.ts'

/** Column to value, as Postgres writes it. */
export type TextRow = Readonly<Record<string, string | null>>

const rowsAtOnce = 1_000

/**
 * Runs one query of the user's, page by page, in the transaction that the client is in.
 *
 * @param what names the query in errors: `the query of the diff`.
 * @yields its rows; at least one page, which may be empty, so that its columns are known.
 * @throws OPTION_INVALID when it is not one query that reads.
 */
export async function* readPages(
  client: pg.ClientBase,
  text: string,
  what: string,
): AsyncGenerator<{ readonly columns: readonly string[]; readonly rows: readonly TextRow[] }> {
  // By the extended protocol, which takes one statement.
  const query = text.replace(/[;\s]+$/, '')
  const declaration = {
    text: `declare user_query no scroll cursor for ${query}`,
    queryMode: 'extended',
  }
  await asOptionError(client.query(declaration), what)
  for (;;) {
    const { rows, fields } = await fetchPage(client, what)
    const columns = fields.map(({ name }) => name)
    yield { columns, rows: rows.map((row) => named(columns, row)) }
    if (rows.length < rowsAtOnce) break
  }
  await client.query('close user_query')
}

async function fetchPage(client: pg.ClientBase, what: string) {
  const statement = {
    text: `fetch ${rowsAtOnce} from user_query`,
    rowMode: 'array' as const,
    types: { getTypeParser: () => (value: string) => value },
  }
  return asOptionError(client.query<(string | null)[]>(statement as never), what)
}

/** Mistakes of the query: syntax, names, types, values, a write. */
async function asOptionError<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work
  } catch (error) {
    const state = sqlstateOf(error)
    if (state === undefined || !/^(0A|42|22|25006|34)/.test(state)) throw error
    const reason = (error as Error).message
    throw new TidemarkError('OPTION_INVALID', `${what} cannot be run: ${reason}`, {
      details: { option: 'sql', reason },
      cause: error,
    })
  }
}

function named(columns: readonly string[], row: readonly (string | null)[]): TextRow {
  return Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null]))
}
