import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { sqlstateOf } from '../../db/sqlstate.ts'
import type { Values } from './compare-tables.ts'

/** What a query of the user's found. */
export interface QueryDiff {
  /** Rows that it returned: the differences. */
  readonly rows: bigint
  /** The first of them. Values as Postgres writes them. */
  readonly samples: readonly Values[]
}

const rowsAtOnce = 1_000

/**
 * Runs a query that returns what differs between two versions. `{from}` and `{to}` in its text stand for
 * the schemas of their tables. It can write nothing.
 *
 * @throws OPTION_INVALID when it is not one query that reads.
 */
export async function compareByQuery(
  client: pg.ClientBase,
  schemas: { readonly from: string; readonly to: string },
  text: string,
  samples: number,
): Promise<QueryDiff> {
  await declare(client, toQuery(text, schemas))
  let count = 0n
  const kept: Values[] = []
  for (;;) {
    const { rows, fields } = await fetch(client)
    if (rows.length === 0) return { rows: count, samples: kept }
    count += BigInt(rows.length)
    const wanted = rows.slice(0, samples - kept.length)
    kept.push(...wanted.map((row) => namedValues(fields, row)))
  }
}

function toQuery(text: string, { from, to }: { readonly from: string; readonly to: string }) {
  return text
    .replaceAll('{from}', () => quoteIdent(from))
    .replaceAll('{to}', () => quoteIdent(to))
    .replace(/[;\s]+$/, '')
}

/** By the extended protocol, which takes one statement. */
async function declare(client: pg.ClientBase, query: string): Promise<void> {
  const statement = { text: `declare diff no scroll cursor for ${query}`, queryMode: 'extended' }
  await asOptionError(client.query(statement))
}

async function fetch(client: pg.ClientBase) {
  const statement = {
    text: `fetch ${rowsAtOnce} from diff`,
    rowMode: 'array' as const,
    types: { getTypeParser: () => (value: string) => value },
  }
  return asOptionError(client.query<(string | null)[]>(statement as never))
}

/** Mistakes of the query: syntax, names, types, values, a write. */
async function asOptionError<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const state = sqlstateOf(error)
    if (state === undefined || !/^(42|22|25006|34)/.test(state)) throw error
    const reason = (error as Error).message
    throw new TidemarkError('OPTION_INVALID', `the query of the diff cannot be run: ${reason}`, {
      details: { option: 'sql', reason },
      cause: error,
    })
  }
}

function namedValues(
  fields: readonly { readonly name: string }[],
  row: readonly (string | null)[],
): Values {
  return Object.fromEntries(fields.map(({ name }, index) => [name, row[index] ?? null]))
}
