import type pg from 'pg'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'

/** A client whose statements fail for the reason for which the transaction did. */
export interface WatchedClient {
  readonly client: pg.ClientBase
  /** The first refusal of the server: from there on the transaction takes nothing more. */
  readonly failure: () => unknown
}

/**
 * Remembers what the server refused first: the statements behind it are told only that the transaction is
 * aborted, and a handler may keep the reason to itself.
 */
export function watchFailure(client: pg.ClientBase): WatchedClient {
  let failure: unknown
  const query = async (...statement: Parameters<pg.ClientBase['query']>) => {
    try {
      return await client.query(...statement)
    } catch (error) {
      if (sqlstateOf(error) !== sqlstate.inFailedSqlTransaction) {
        if (sqlstateOf(error) !== undefined) failure ??= error
        throw error
      }
      throw failure ?? error
    }
  }
  return { client: { query } as unknown as pg.ClientBase, failure: () => failure }
}
