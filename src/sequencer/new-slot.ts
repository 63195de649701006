import { failpoint } from '../core/failpoint.ts'
import { slotPrefix } from '../db/log-names.ts'
import { readPublicationFingerprint, verifyPublication } from '../db/publication.ts'
import { readGeneration, type SequencerState } from './sequencer-state.ts'
import { readSlotSnapshot, waitUntilVisible } from './slot-snapshot.ts'
import { createSlot, type NewSlot } from './slots.ts'
import type { SlotContext, TrustedSlot } from './trusted-slot.ts'

/** A slot that was made just now, and the publication as it was before. */
export interface MadeSlot extends NewSlot {
  readonly publication: string | null
}

/**
 * Makes a slot for the publication as it stands. Until the sequencer's row tells of it, it is nobody's:
 * whoever leads next drops it.
 *
 * @throws PUBLICATION_INVALID, and the server's errors.
 */
export async function makeSlot(context: SlotContext, signal: AbortSignal): Promise<MadeSlot> {
  const { client, connectionString, names, facts } = context
  await verifyPublication(client, names, facts.versionNumber)
  // Before the slot is made, so that a change since then is noticed.
  const publication = await readPublicationFingerprint(client, names)
  const prefix = slotPrefix(facts, names.schema)
  const slot = await createSlot(connectionString, prefix, facts.versionNumber, { client, signal })
  failpoint('slot-created')
  return { ...slot, publication }
}

/**
 * Begins a generation on a new slot, having continued the ledger up to the slot's snapshot: after
 * polling by a last window, else from the table.
 */
export async function continueOnNewSlot(
  context: SlotContext,
  state: SequencerState,
  slot: MadeSlot,
  signal: AbortSignal,
): Promise<TrustedSlot> {
  const { client, names, logger } = context
  const snapshot = await readSlotSnapshot(client, slot)
  await waitUntilVisible(client, names.schema, snapshot, signal)
  const hasPolled = state.mode === 'poll' && state.snapshot !== null
  const call = hasPolled
    ? 'follow_slot($1, $2, $3, pg_current_snapshot(), $4, $5)'
    : 'sequence_from_table($1, $2, $6, $3, $4, $5)'
  const { rows } = await client.query<{ sequenced: string }>(
    `select sequenced::text from ${names.schema}.${call}`,
    [
      state.generation.toString(),
      slot.name,
      slot.consistentLsn,
      names.channel,
      slot.publication,
      ...(hasPolled ? [] : [snapshot]),
    ],
  )
  const fields = { slot: slot.name, lost: state.slotName, commits: Number(rows[0]?.sequenced) }
  logger.info(fields, 'began a replication slot and continued the ledger from the table')
  const begun = await readGeneration(client, names.schema, state.generation + 1n)
  return { state: begun, slotName: slot.name, startLsn: begun.lsn ?? 0n }
}
