import type { RunCheck } from './check-run.ts'
import { nameRange } from './explain-ledger.ts'
import { type Finding, finding, findWhoChangedIt } from './finding.ts'
import type { HashedEvent } from './read-hashes.ts'
import type { Seal, SealedExtent } from './read-seals.ts'

/** Events of one run that are named at most. */
const maxNamed = 20

/** Where a seal's run begins: the position before its first event. */
export function startOf(seal: Seal): bigint {
  return seal.position - BigInt(seal.eventCount)
}

/** Says whether a seal follows the one before it; both as they stand in the table. */
export function explainLink(previous: Seal | undefined, seal: Seal): Finding[] {
  const start = startOf(seal)
  const end = previous?.position ?? 0n
  if (start > end) return [missingSeals(end + 1n, start)]
  // Where the chain begins is checked once, by `explainExtent`.
  if (previous === undefined) return []
  const follows = seal.previousHash?.equals(previous.hash) === true
  if (start === previous.position && follows) return []
  return [
    changedSeal(
      previous.position,
      `the seals at positions ${previous.position} and ${seal.position} do not join: ` +
        'one of them was changed, or the chain was forked',
    ),
  ]
}

/** Says what is wrong with a run whose positions are dense. */
export function explainRun(seal: Seal, { outcome, differing }: RunCheck): Finding[] {
  const run = nameRange(startOf(seal) + 1n, seal.position)
  if (outcome === 'sound') return []
  if (outcome === 'digests-differ') {
    const message = `the digests of the seal of ${run} were changed; its events were not`
    return [changedSeal(seal.position, message)]
  }
  if (differing.length > 1 && differing.length === seal.eventCount) return [changedRun(seal, run)]
  if (differing.length > 0) return explainEvents(differing)
  return [
    changedSeal(
      seal.position,
      `the seal of ${run} does not follow from the seal before and its events: it was changed, or ` +
        'an event and its digest were',
    ),
  ]
}

/** Names events that are not what was sealed. */
export function explainEvents(differing: readonly HashedEvent[]): Finding[] {
  return differing.slice(0, maxNamed).map(({ position, streamId, version }) =>
    finding({
      kind: 'event-changed',
      position,
      streamId,
      version,
      message: `the event at position ${position} is not the one that was sealed there`,
      remedy: findWhoChangedIt,
    }),
  )
}

/** Says whether the table still has the last seal that was written. */
export function explainExtent({ identity, last, recorded, head }: SealedExtent): Finding[] {
  if (identity === null || last === null)
    return [missingSeals(0n, last === null ? recorded.position : 0n)]
  if (last.position < recorded.position) {
    return [missingSeals(last.position + 1n, recorded.position)]
  }
  if (last.position > head) {
    const message = `the log is sealed up to position ${last.position} and ends at position ${head}`
    return [changedSeal(last.position, message)]
  }
  if (last.position === recorded.position && last.hash.equals(recorded.hash)) return []
  const message =
    `the last seal is at position ${last.position}, but another one was written last, at ` +
    `position ${recorded.position}`
  return [changedSeal(last.position, message)]
}

function missingSeals(first: bigint, last: bigint): Finding {
  return finding({
    kind: 'seal-missing',
    position: first,
    message:
      first === 0n && last === 0n
        ? 'the row at position 0, with which the hash chain begins, is missing'
        : `the seals of ${nameRange(first, last)} are missing: nothing proves these events`,
    remedy: findWhoChangedIt,
  })
}

function changedRun(seal: Seal, run: string): Finding {
  return finding({
    kind: 'run-changed',
    position: startOf(seal) + 1n,
    message: `no event of ${run} is what its seal says: all of them were changed, or the seal was`,
    remedy: findWhoChangedIt,
  })
}

function changedSeal(position: bigint, message: string): Finding {
  return finding({ kind: 'seal-changed', position, message, remedy: findWhoChangedIt })
}
