import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { type LogNames, slotPrefix } from '../db/log-names.ts'
import type { ServerFacts } from '../db/preflight.ts'
import { readPublicationFingerprint } from '../db/publication.ts'
import type { Lsn } from './lsn.ts'
import { type SequencerState, takeLead } from './sequencer-state.ts'
import { dropSlot, listSlots, releaseSlot, type Slot } from './slots.ts'

/** Where the stream begins. */
export interface TrustedSlot {
  readonly state: SequencerState
  readonly slotName: string
  /** Commits that end at or before this are in the ledger. */
  readonly startLsn: Lsn
}

export interface SlotContext {
  readonly client: pg.ClientBase
  readonly connectionString: string
  readonly names: LogNames
  readonly facts: ServerFacts
  readonly logger: Logger
}

/**
 * Begins a generation on the recorded slot, if the server still has it, whole. Slots of this log that
 * cannot be trusted are dropped: also those that no record tells of, left over by a crash between making
 * and recording one.
 *
 * @returns undefined when a new slot is needed.
 */
export async function continueOnRecordedSlot(
  context: SlotContext,
  state: SequencerState,
): Promise<TrustedSlot | undefined> {
  const { client, names, facts } = context
  const slots = await listSlots(client, slotPrefix(facts, names.schema))
  const publication = await readPublicationFingerprint(client, names)
  const trusted = slots.find(
    (slot) =>
      slot.name === state.slotName &&
      isWhole(slot) &&
      state.publication === publication &&
      hasAllThatIsMissing(slot, state.lsn ?? 0n),
  )
  const others = slots.filter((slot) => slot !== trusted)
  await dropAll(context, others)
  return trusted && continueOn(context, state, trusted)
}

function isWhole({ walStatus, plugin }: Slot): boolean {
  return walStatus !== 'lost' && plugin === 'pgoutput'
}

/**
 * Tells whether a slot delivers every commit that the ledger lacks. No slot of ours is confirmed for more
 * than what is recorded. One that is was made by somebody else under the name of ours, or came with a
 * failover without the ledger rows that it was confirmed for.
 */
function hasAllThatIsMissing({ confirmedLsn }: Slot, recorded: Lsn): boolean {
  return confirmedLsn <= recorded
}

/**
 * Looks again at a slot, once it is streamed from: until then somebody may have made it again under its name,
 * after it was trusted or recorded. From then on nobody can without ending the stream.
 *
 * @throws Error when the stream leaves out commits that the ledger lacks.
 */
export async function requireAllThatIsMissing(
  client: pg.ClientBase,
  { slotName, startLsn }: TrustedSlot,
): Promise<void> {
  const slots = await listSlots(client, slotName)
  const slot = slots.find(({ name }) => name === slotName)
  if (slot !== undefined && hasAllThatIsMissing(slot, startLsn)) return
  throw new Error(`replication slot "${slotName}" was dropped, or made again by somebody else`)
}

async function continueOn(
  context: SlotContext,
  state: SequencerState,
  slot: Slot,
): Promise<TrustedSlot> {
  const { client, names } = context
  const taken = await takeLead(client, names.schema, state.generation)
  await releaseSlot(client, slot)
  return { state: taken, slotName: slot.name, startLsn: taken.lsn ?? 0n }
}

/** Drops a slot that the server could not read, so that the next term continues from the table. */
export async function giveUpSlot(context: SlotContext, name: string): Promise<void> {
  const { client, names, facts, logger } = context
  try {
    const slots = await listSlots(client, slotPrefix(facts, names.schema))
    await dropAll(
      context,
      slots.filter((slot) => slot.name === name),
    )
  } catch (error) {
    logger.warn({ slot: name, err: error }, 'could not look for a replication slot')
  }
}

async function dropAll(context: SlotContext, slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) {
    try {
      await dropSlot(context.client, slot)
      context.logger.info({ slot: slot.name }, 'dropped a replication slot that is not trusted')
    } catch (error) {
      context.logger.warn({ slot: slot.name, err: error }, 'could not drop a replication slot')
    }
  }
}
