import type pg from 'pg'
import { type LogNames, slotPrefix } from '../db/log-names.ts'
import { readServerFacts } from '../db/preflight.ts'
import { dropSlot, listSlots } from './slots.ts'

/**
 * Drops the replication slots of a log, for when no worker is to run for a while: a slot that nobody
 * reads makes the server keep its WAL. The next worker makes a new one and continues the ledger from
 * the table, exactly.
 *
 * @returns the names of the dropped slots.
 */
export async function dropSlots(
  client: pg.ClientBase,
  names: LogNames,
): Promise<readonly string[]> {
  const facts = await readServerFacts(client)
  const slots = await listSlots(client, slotPrefix(facts, names.schema))
  for (const slot of slots) await dropSlot(client, slot)
  return slots.map((slot) => slot.name)
}
