import type pg from 'pg'
import { socketOf } from './client-internals.ts'

/** How long a server may take to hear that a connection ends. */
const endLimitMs = 1_000

/** How long a statement that is under way may hold up the end. */
const statementLimitMs = 2_000

/** Ends a connection: after what is under way on it, or when the server has not answered in time. */
export async function disconnect(client: pg.Client): Promise<void> {
  const cut = setTimeout(() => socketOf(client).destroy(), endLimitMs)
  await client.end().catch(() => {})
  clearTimeout(cut)
}

/**
 * Has a connection cut off soon after the abort, should it still be waiting for an answer then.
 *
 * @returns what forgets it again.
 */
export function cutOnAbort(client: pg.Client, signal: AbortSignal): () => void {
  let cut: NodeJS.Timeout | undefined
  const onAbort = () => {
    cut = setTimeout(() => socketOf(client).destroy(), statementLimitMs)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  return () => {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(cut)
  }
}
