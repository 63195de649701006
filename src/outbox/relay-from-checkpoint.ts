import { failpoint } from '../core/failpoint.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { transaction } from '../db/transaction.ts'
import { pause } from '../db/wait.ts'
import {
  advanceCheckpoint,
  type Checkpoint,
  checkpointRegressed,
  noteOwner,
  readCheckpoint,
} from '../subscriptions/checkpoint.ts'
import { whole } from '../subscriptions/partitions/partition.ts'
import { noteTrouble } from './note-trouble.ts'
import { type MessageToPark, parkMessages } from './parked-messages.ts'
import { type ParkedState, readParkedState } from './parked-state.ts'
import { publishPatiently, type Trouble } from './publish-patiently.ts'
import { publishRetried } from './publish-retried.ts'
import type { Publisher } from './publisher.ts'
import { type OutboxCursor, type OutboxRun, readOutbox } from './read-outbox.ts'
import { type Relay, relaySubscription } from './relay.ts'
import type { RelayContext } from './relay-context.ts'
import { type Publish, relayMessages } from './relay-messages.ts'

/** Pause after a head that turned out to be wrong. */
const headPauseMs = 100

/** A relay while this process owns it, and nobody else changes what it has parked. */
interface Relaying extends RelayContext {
  readonly relay: Relay
  readonly checkpoint: Checkpoint
  readonly publisher: Publisher
  readonly parked: ParkedState
  readonly signal: AbortSignal
}

/**
 * Publishes the outbox from the checkpoint on, for as long as this process owns the relay; parked messages that
 * somebody asked to be retried come first. While a broker is waited for no transaction is open.
 *
 * @throws MESSAGE_REFUSED at which the relay stops, CHECKPOINT_REGRESSED, and the database's errors.
 */
export async function relayFromCheckpoint(
  relay: Relay,
  context: RelayContext,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, owner } = context
  const id = relaySubscription(relay)
  await noteOwner(pool, names, id, owner)
  await using publisher = await relay.to({ source: relay.source ?? `/${names.schema}` })
  while (!signal.aborted) {
    const checkpoint = await readCheckpoint(pool, names, id)
    if (checkpoint === undefined) throw unknownRelay(relay)
    const parked = await readParkedState(pool, names, relay.name)
    const relaying: Relaying = { ...context, relay, checkpoint, publisher, parked, signal }
    if (!(await publishRetried(relaying, publishWith(relaying)))) await follow(relaying, healthy)
    healthy()
  }
}

/** Publishes until aborted, or until somebody has changed what is parked. */
async function follow(relaying: Relaying, healthy: () => void): Promise<void> {
  const { checkpoint, session, signal } = relaying
  const head = session.outboxHead
  let cursor: OutboxCursor = { position: checkpoint.position, insertId: null }
  let ahead: Promise<OutboxRun> | undefined
  try {
    while (!signal.aborted) {
      if (await isRevised(relaying)) return
      if (head.position <= cursor.position) {
        await untilWorthALook(relaying, cursor.position)
        continue
      }
      const run = await (ahead ?? readRun(relaying, cursor))
      ahead = undefined
      if (run.end.position === cursor.position) {
        await pause(headPauseMs, signal)
        continue
      }
      if (head.position > run.end.position) ahead = readRun(relaying, run.end)
      ahead?.catch(() => {})
      if (!(await relayRun(relaying, cursor, run))) return
      healthy()
      cursor = run.end
    }
  } finally {
    await ahead?.catch(() => {})
  }
}

/** Where nothing is parked, nobody can have changed it. */
async function isRevised({ pool, names, relay, checkpoint, parked }: Relaying): Promise<boolean> {
  if (parked.count === 0) return false
  const now = await readCheckpoint(pool, names, relaySubscription(relay))
  return now?.revision !== checkpoint.revision
}

/** Who retries or discards has all sessions look around. */
async function untilWorthALook(
  { session, parked, signal }: Relaying,
  position: bigint,
): Promise<void> {
  if (parked.count === 0) return session.outboxHead.beyond(position, signal)
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  try {
    await Promise.race([session.outboxHead.beyond(position, ended), session.untilLooked(ended)])
  } finally {
    over.abort()
  }
}

function readRun({ pool, names, relay }: Relaying, after: OutboxCursor): Promise<OutboxRun> {
  const { maxInFlight: maxMessages, topics } = relay
  return readOutbox(pool, names, { after, maxMessages, topics })
}

function publishWith(relaying: Relaying): Publish {
  const { relay, publisher, signal } = relaying
  const onTrouble = (trouble: Trouble) => noteTrouble(relaying, relay, trouble)
  return (some) => publishPatiently(publisher, some, onTrouble, signal)
}

/** @returns false when it was aborted. */
async function relayRun(
  relaying: Relaying,
  after: OutboxCursor,
  { messages, end }: OutboxRun,
): Promise<boolean> {
  const { relay, parked } = relaying
  const relayed = await relayMessages(relay, messages, parked.keys, publishWith(relaying))
  if (relayed === undefined) return false
  failpoint('relay-confirmed')
  const { toPark, stopAt } = relayed
  if (stopAt !== null) {
    const upto = stopAt.message.position - 1n
    if (upto > after.position) await moveTo(relaying, after.position, upto, [])
    throw stopAt.error
  }
  if (toPark.length > 0) refuseFull(relay, parked.count + toPark.length)
  await moveTo(relaying, after.position, end.position, toPark)
  parked.count += toPark.length
  for (const { message } of toPark) if (message.key !== null) parked.keys.add(message.key)
  return true
}

/** Moves the checkpoint, and parks what was not published, in one transaction. */
async function moveTo(
  { pool, names, owner, relay, checkpoint }: Relaying,
  after: bigint,
  upto: bigint,
  toPark: readonly MessageToPark[],
): Promise<void> {
  const id = relaySubscription(relay)
  const { serverRun, revision } = checkpoint
  const move = { after, upto, owner, serverRun, revision, partition: whole }
  if (toPark.length === 0) {
    if (!(await advanceCheckpoint(pool, names, id, move))) throw checkpointRegressed(id, after)
    return
  }
  await transaction(pool, async (client) => {
    if (!(await advanceCheckpoint(client, names, id, move))) throw checkpointRegressed(id, after)
    await parkMessages(client, names, relay.name, toPark)
  })
}

function refuseFull({ name, maxParked }: Relay, parked: number): void {
  if (parked <= maxParked) return
  const subscription = `relay "${name}"`
  throw new TidemarkError(
    'PARKING_FULL',
    `${subscription} would have ${parked} messages parked, at most ${maxParked} are allowed: ` +
      'find out why the broker refuses them, then retry or discard them',
    { details: { subscription, parked, maxParked } },
  )
}

function unknownRelay({ name }: Relay): TidemarkError {
  const subscription = `relay "${name}"`
  return new TidemarkError('SUBSCRIPTION_UNKNOWN', `${subscription} has no checkpoint`, {
    details: { subscription },
  })
}
