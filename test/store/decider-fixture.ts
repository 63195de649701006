import type pg from 'pg'
import { eventRegistry } from '../../src/core/event-registry.ts'
import type { Logger } from '../../src/core/logger.ts'
import type { Connection } from '../../src/db/queryable.ts'
import { type DeciderStore, deciderStore } from '../../src/store/decider-store.ts'
import { type EventStore, eventStore } from '../../src/store/event-store.ts'
import { Account } from './deciders.ts'
import { names } from './fixtures.ts'

/** A store over a connection, without the parts that read projections. */
export function openDeciderStore(
  connection: Connection,
  logger?: Logger,
): EventStore & DeciderStore {
  const events = eventStore({ connection, names, registry: eventRegistry(Account.events) })
  const { append } = events
  return { ...events, ...deciderStore({ connection, names, append, ...(logger && { logger }) }) }
}

let ids = 0

/** An id that no other test of the file uses. */
export function newId(): string {
  ids += 1
  return `n${ids}`
}

/** Counts the snapshots of a stream. */
export async function readSnapshots(
  pool: pg.Pool,
  streamId: string,
): Promise<{ version: bigint; state: unknown; hash: string }[]> {
  const { rows } = await pool.query(
    /* sql */ `
      select version::text, state, definition_hash as hash
      from tidemark.snapshots
      where stream_id = $1
      order by taken_at`,
    [streamId],
  )
  return rows.map((row) => ({ ...row, version: BigInt(row.version) }))
}
