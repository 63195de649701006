import { readHeldLocks } from '../../db/held-locks.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import { giveGrace, type TakenSnapshot } from '../../sequencer/integrity/give-grace.ts'
import { hasUncovered } from '../../sequencer/integrity/read-uncovered.ts'
import { leaderLockKey } from '../../sequencer/leader-lock.ts'
import { pollsAsSet } from '../../sequencer/poll-term.ts'
import type { SequencerState } from '../../sequencer/sequencer-state.ts'
import { readStatus } from '../status.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

/** Checks that some worker leads: its lock is held. */
export async function checkLeader({ pool, names }: Examination): Promise<DoctorFinding> {
  const key = leaderLockKey(names.schema)
  const held = await ask(pool, (client) => readHeldLocks(client, [key]))
  if (held.has(key)) return fine('leader', 'a worker leads')
  return failure(
    'leader',
    'no worker leads: events get no positions, nothing is projected',
    'run `tidemark worker`; if one runs, its log says why it cannot lead',
  )
}

/** Says where the order of commits comes from, and why. Of `wal_level` another check warns. */
export function checkMode(
  { facts }: Examination,
  { mode, pollReason, slotName }: SequencerState,
): DoctorFinding {
  if (mode === 'wal' && slotName === null) return fine('mode', 'no worker has led yet')
  if (mode === 'wal') return fine('mode', 'the order of commits comes from the WAL')
  const reason = `the order of commits comes from polling: ${pollReason ?? 'as a worker chose'}`
  if (pollReason === pollsAsSet || facts.walLevel !== 'logical') return fine('mode', reason)
  const remedy =
    'it is as exact, and some tens of ms later; a worker tries the WAL again each minute'
  return warning('mode', reason, remedy)
}

/**
 * Checks that each event which was visible some time ago has a position by now. Waits that long only
 * when there is one without.
 */
export async function checkUnsequenced(
  { pool, names }: Examination,
  taken: TakenSnapshot,
  graceMs: number,
  signal: AbortSignal,
): Promise<DoctorFinding> {
  await giveGrace(pool, names, taken, graceMs, signal)
  if (!(await ask(pool, (client) => hasUncovered(client, names, taken.snapshot)))) {
    return fine('unsequenced', `no event has waited for its position longer than ${graceMs} ms`)
  }
  const { unsequenced } = await ask(pool, (client) => readStatus(client, names))
  const count = unsequenced > 10_000 ? 'over 10000' : `${unsequenced}`
  return failure(
    'unsequenced',
    `committed events without a position: ${count}, some of them for more than ${graceMs} ms`,
    'run `tidemark worker`; if one leads and goes on leading, run `tidemark audit`',
  )
}
