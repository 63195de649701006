import type pg from 'pg'
import { quoteIdent } from '../../db/quote-ident.ts'
import { readPages } from '../query/user-query.ts'
import type { Values } from './compare-tables.ts'

/** What a query of the user's found. */
export interface QueryDiff {
  /** Rows that it returned: the differences. */
  readonly rows: bigint
  /** The first of them. Values as Postgres writes them. */
  readonly samples: readonly Values[]
}

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
  let count = 0n
  const kept: Values[] = []
  for await (const { rows } of readPages(client, toQuery(text, schemas), 'the query of the diff')) {
    count += BigInt(rows.length)
    kept.push(...rows.slice(0, samples - kept.length))
  }
  return { rows: count, samples: kept }
}

function toQuery(text: string, { from, to }: { readonly from: string; readonly to: string }) {
  return text.replaceAll('{from}', () => quoteIdent(from)).replaceAll('{to}', () => quoteIdent(to))
}
