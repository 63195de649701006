import type pg from 'pg'
import { failpoint } from '../core/failpoint.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { readServerFacts, requireUsableServer, type ServerFacts } from '../db/preflight.ts'
import { verifyPublication } from '../db/publication.ts'
import { keepSession } from '../db/session/keep-session.ts'
import { pause } from '../db/wait.ts'
import { currentIncarnation } from './incarnation.ts'
import { acquireLeaderLock } from './leader-lock.ts'
import { continueOnNewSlot, type MadeSlot, makeSlot } from './new-slot.ts'
import { explainPolling, pollsAsSet, pollTerm } from './poll-term.ts'
import { readSequencer, type SequencerState } from './sequencer-state.ts'
import type { TermSettings } from './term-settings.ts'
import {
  continueOnRecordedSlot,
  giveUpSlot,
  type SlotContext,
  type TrustedSlot,
} from './trusted-slot.ts'
import { isUnreadable, slotObstacle, walLevelObstacle } from './wal-obstacle.ts'
import { walTerm } from './wal-term.ts'

interface Term extends SlotContext {
  readonly client: pg.Client
  readonly settings: TermSettings
  readonly onStart: () => void
  readonly signal: AbortSignal
}

/** How long the WAL is not tried again after it could not be read. */
const walRetryMs = 60_000

/** How long a new slot is waited for before polling begins: as long as it takes when nothing is in its way. */
const graceMs = 500

/**
 * Leads once: from the leader lock to the end of one of the two connections. Ends without an error only
 * when aborted.
 */
export async function leadTerm(
  client: pg.Client,
  settings: TermSettings,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { names, mode } = settings
  const facts = await readServerFacts(client)
  requireUsableServer(facts)
  if (mode === 'wal') requireLogicalWal(facts)
  await readSequencer(client, names.schema)
  if (!(await becomeLeader(client, settings, healthy, signal))) return
  const onStart = () => {
    healthy()
    settings.onRole('leader')
  }
  const term = { ...settings, client, settings, facts, onStart, signal }
  const state = await currentIncarnation(term)
  const obstacle = mode === 'poll' ? pollsAsSet : walLevelObstacle(facts)
  if (obstacle !== undefined) return void (await poll(term, state, obstacle, signal))
  await verifyPublication(client, names, facts.versionNumber)
  const recorded = await continueOnRecordedSlot(term, state)
  const slot = recorded ?? (await beginOnNewSlot(term, state))
  if (slot !== undefined) await follow(term, slot)
}

/** Waits for the lock, and from then on keeps the session that holds it from being silent. */
async function becomeLeader(
  client: pg.Client,
  settings: TermSettings,
  onStandby: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { names, untilLeaderless: rest, leaderSilenceMs: silenceMs } = settings
  const lock = { schema: names.schema, silenceMs, rest, onStandby, signal }
  if (!(await acquireLeaderLock(client, lock))) return false
  // It asks at every other look, because the answer shows at the next one.
  const everyMs = silenceMs / 6
  keepSession(client, { everyMs, askAfterMs: everyMs, giveUpAfterMs: silenceMs * 6 })
  return true
}

async function follow(term: Term, slot: TrustedSlot): Promise<void> {
  const fields = { slot: slot.slotName, position: `${slot.state.position}` }
  term.logger.info(fields, 'leading the sequencer')
  failpoint('slot-trusted')
  try {
    await walTerm({ ...term, slot })
  } catch (error) {
    if (isUnreadable(error)) await giveUpSlot(term, slot.slotName)
    throw error
  }
}

function poll(
  term: Term,
  state: SequencerState,
  reason: string,
  signal: AbortSignal,
): Promise<SequencerState> {
  term.logger.info({ reason }, `leading the sequencer by polling: ${reason}`)
  return pollTerm({ ...term, state, reason, signal })
}

/**
 * Makes a slot and begins on it. The server makes one only when the transactions that are open have
 * ended: where polling is allowed, it goes on until then, so that the ledger never stands still.
 *
 * @returns undefined when it was aborted.
 */
async function beginOnNewSlot(term: Term, state: SequencerState): Promise<TrustedSlot | undefined> {
  const { signal, settings } = term
  const over = new AbortController()
  const made = new AbortController()
  const obstacle = { reason: 'a slot is being made' }
  const making = makePatiently(term, obstacle, AbortSignal.any([signal, over.signal]))
  making.finally(() => made.abort()).catch(() => {})
  try {
    const polled =
      settings.mode === 'auto' ? await pollUntil(made.signal, term, state, obstacle) : state
    return await continueOnNewSlot(term, polled, await making, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  } finally {
    over.abort()
    await making.then(
      (slot) => slot.release(),
      () => {},
    )
  }
}

/** What keeps a slot from being made, as far as is known. */
interface Obstacle {
  reason: string
}

/** Polls until a slot was made, unless that is done in no time. */
async function pollUntil(
  made: AbortSignal,
  term: Term,
  state: SequencerState,
  obstacle: Obstacle,
): Promise<SequencerState> {
  const ended = AbortSignal.any([term.signal, made])
  if (!(await pause(graceMs, ended))) return state
  return poll(term, state, obstacle.reason, ended)
}

/** Makes a slot, where polling goes on meanwhile as often as it takes. */
async function makePatiently(
  term: Term,
  obstacle: Obstacle,
  signal: AbortSignal,
): Promise<MadeSlot> {
  for (;;) {
    try {
      return await makeSlot(term, signal)
    } catch (error) {
      const reason = term.settings.mode === 'auto' ? slotObstacle(error) : undefined
      if (reason === undefined || signal.aborted) throw error
      term.logger.info({ reason }, `there is no slot yet: ${reason}`)
      obstacle.reason = reason
      await explainPolling(term.client, term.names, reason)
    }
    if (!(await pause(walRetryMs, signal))) signal.throwIfAborted()
  }
}

function requireLogicalWal(facts: ServerFacts): void {
  if (facts.walLevel === 'logical') return
  throw new TidemarkError(
    'WAL_LEVEL_INSUFFICIENT',
    `wal_level is "${facts.walLevel}" and must be "logical". ` +
      'Run: alter system set wal_level = logical; then restart the server.',
    { details: { found: facts.walLevel } },
  )
}
