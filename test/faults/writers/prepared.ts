import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Fate } from './journal.ts'
import { type IdentifiedEvent, idsOf, type Writer } from './writer.ts'

/** The server's answer when there is no such prepared transaction. */
const undefinedObject = '42704'

/**
 * Prepares a transaction, holds it for seconds across whatever happens, then commits it or rolls it
 * back, again and again until the server has said so.
 */
export async function prepareAndFinish(
  writer: Writer,
  write: (client: pg.PoolClient) => Promise<readonly IdentifiedEvent[]>,
): Promise<void> {
  const name = `faults ${writer.journal.drawId()}`
  const end = writer.random.chance(0.7) ? 'commit' : 'rollback'
  const client = await writer.pool.connect()
  let events: readonly IdentifiedEvent[] = []
  let asked = false
  let prepared = false
  try {
    await client.query('begin')
    events = await write(client)
    asked = true
    await client.query(`prepare transaction '${name}'`)
    prepared = true
  } catch (error) {
    if (!asked || (error instanceof pg.DatabaseError && error.severity === 'ERROR')) {
      writer.journal.settle('prepared', idsOf(events), 'absent')
      throw error
    }
  } finally {
    client.release(!prepared)
  }
  await writer.hold(300, 5_000)
  const fate = await finish(writer, `${end} prepared '${name}'`, prepared)
  writer.journal.settle('prepared', idsOf(events), end === 'rollback' ? 'absent' : fate)
}

/** The server is away for seconds at most, unless the run was broken off. */
const maxAttempts = 150

/** @param isThere whether the server has said that the transaction is prepared. */
async function finish(writer: Writer, statement: string, isThere: boolean): Promise<Fate> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await writer.pool.query(statement)
      return 'committed'
    } catch (error) {
      const isGone = error instanceof pg.DatabaseError && error.code === undefinedObject
      // Gone after it was there: an attempt whose answer was lost has ended it.
      if (isGone) return isThere && attempt > 0 ? 'committed' : 'unknown'
      if (attempt >= maxAttempts) return 'unknown'
      await delay(writer.random.between(50, 300))
    }
  }
}
