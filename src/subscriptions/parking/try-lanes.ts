import type pg from 'pg'
import { isTransient } from '../../db/sqlstate.ts'
import type { Chunk, Lane } from '../lane.ts'

/**
 * Applies a chunk to lanes one by one, within a transaction that goes on. What a lane did that failed is
 * undone; what the others did is kept, also if a constraint is checked at the end only.
 *
 * @returns the lanes that failed, and why.
 * @throws what is nobody's fault, such as a lost connection.
 */
export async function tryLanes(
  client: pg.ClientBase,
  lanes: readonly Lane[],
  chunk: Chunk,
): Promise<ReadonlyMap<Lane, unknown>> {
  const failures = new Map<Lane, unknown>()
  const together = async () => {
    for (const lane of lanes) {
      const attempt = await undoIfItFails(client, () => lane.apply(client, chunk))
      if (attempt.isDone) continue
      lane.reset()
      failures.set(lane, attempt.error)
    }
    await checkConstraints(client)
  }
  const attempt = await undoIfItFails(client, together)
  if (attempt.isDone) return failures
  for (const lane of lanes) lane.reset()
  return tryInTurn(client, lanes, chunk)
}

/** A row of one lane may need one of another: so again, until nothing more can be applied. */
async function tryInTurn(
  client: pg.ClientBase,
  lanes: readonly Lane[],
  chunk: Chunk,
): Promise<ReadonlyMap<Lane, unknown>> {
  const failures = new Map<Lane, unknown>()
  for (const lane of lanes) {
    const attempt = await undoIfItFails(client, async () => {
      await lane.apply(client, chunk)
      await checkConstraints(client)
    })
    if (attempt.isDone) continue
    lane.reset()
    failures.set(lane, attempt.error)
  }
  if (failures.size === 0 || failures.size === lanes.length) return failures
  return tryInTurn(client, [...failures.keys()], chunk)
}

/** What would fail at the end of the transaction fails now. */
async function checkConstraints(client: pg.ClientBase): Promise<void> {
  await client.query('set constraints all immediate')
}

type Attempt = { readonly isDone: true } | { readonly isDone: false; readonly error: unknown }

async function undoIfItFails(client: pg.ClientBase, body: () => Promise<void>): Promise<Attempt> {
  await client.query('savepoint tidemark_attempt')
  try {
    await body()
  } catch (error) {
    if (isTransient(error)) throw error
    await client.query('rollback to savepoint tidemark_attempt; release savepoint tidemark_attempt')
    return { isDone: false, error }
  }
  await client.query('release savepoint tidemark_attempt')
  return { isDone: true }
}
