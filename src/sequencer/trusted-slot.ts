import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { type LogNames, slotPrefix } from '../db/log-names.ts'
import type { ServerFacts } from '../db/preflight.ts'
import { readPublicationFingerprint } from '../db/publication.ts'
import { currentIncarnation } from './incarnation.ts'
import { readSequencer, type SequencerState, takeLead } from './sequencer-state.ts'
import { readSlotSnapshot, waitUntilVisible } from './slot-snapshot.ts'
import { createSlot, dropSlot, listSlots, releaseSlot, type Slot } from './slots.ts'

/** Where the stream begins. */
export interface TrustedSlot {
  readonly state: SequencerState
  readonly slotName: string
  /** Commits that end at or before this are in the ledger. */
  readonly startLsn: bigint
}

interface Context {
  readonly client: pg.ClientBase
  readonly connectionString: string
  readonly names: LogNames
  readonly facts: ServerFacts
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * Begins a generation on a slot that can be trusted: the recorded one when the server still has it,
 * whole; else a new one, after the ledger was continued from the table. Slots of this log that are
 * not recorded, left over by a crash between making and recording one, are dropped.
 */
export async function obtainTrustedSlot(context: Context): Promise<TrustedSlot> {
  const { client, names, facts } = context
  const state = await currentIncarnation(context)
  const slots = await listSlots(client, slotPrefix(facts, names.schema))
  // Before a slot is made, so that a change since then is noticed.
  const publication = await readPublicationFingerprint(client, names)
  const recorded = slots.find((slot) => slot.name === state.slotName)
  const isWhole = recorded?.walStatus !== 'lost' && state.publication === publication
  const trusted = isWhole ? recorded : undefined
  await dropAll(
    context,
    slots.filter((slot) => slot !== trusted),
  )
  return trusted === undefined
    ? continueFromTable(context, state, publication)
    : continueOnSlot(context, state, trusted)
}

async function continueOnSlot(
  context: Context,
  state: SequencerState,
  slot: Slot,
): Promise<TrustedSlot> {
  const { client, names } = context
  const taken = await takeLead(client, names.schema, state.generation)
  await releaseSlot(client, slot)
  const ledgerLsn = taken.lsn ?? 0n
  const startLsn = slot.confirmedLsn > ledgerLsn ? slot.confirmedLsn : ledgerLsn
  return { state: taken, slotName: slot.name, startLsn }
}

async function continueFromTable(
  context: Context,
  state: SequencerState,
  publication: string | null,
): Promise<TrustedSlot> {
  const { client, connectionString, names, facts, logger, signal } = context
  const prefix = slotPrefix(facts, names.schema)
  const slot = await createSlot(connectionString, prefix, facts.versionNumber, { client, signal })
  try {
    const snapshot = await readSlotSnapshot(client, slot)
    await waitUntilVisible(client, names.schema, snapshot, signal)
    const { rows } = await client.query<{ sequenced: string }>(
      `select sequenced::text from ${names.schema}.sequence_from_table($1, $2, $3, $4, $5, $6)`,
      [
        state.generation.toString(),
        slot.name,
        snapshot,
        slot.consistentLsn,
        names.channel,
        publication,
      ],
    )
    const fields = { slot: slot.name, lost: state.slotName, commits: Number(rows[0]?.sequenced) }
    logger.info(fields, 'began a replication slot and continued the ledger from the table')
  } finally {
    await slot.release()
  }
  const begun = await readSequencer(client, names.schema)
  return { state: begun, slotName: slot.name, startLsn: begun.lsn ?? 0n }
}

async function dropAll(context: Context, slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) {
    try {
      await dropSlot(context.client, slot)
      context.logger.info({ slot: slot.name }, 'dropped a replication slot that is not trusted')
    } catch (error) {
      context.logger.warn({ slot: slot.name, err: error }, 'could not drop a replication slot')
    }
  }
}
