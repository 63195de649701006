import { type Finding, finding, findWhoChangedIt } from './finding.ts'
import type { HashedEvent } from './read-hashes.ts'
import type { LedgerCheck, LedgerCommit } from './read-ledger-faults.ts'

/**
 * Says what is wrong between the ledger and the table of events.
 *
 * @param check the commits that cover the range up to `upto`.
 * @param differing events that are not what was sealed at their position: in a commit that lost or
 *   won events, the first of them is where that happened.
 */
export function explainLedger(
  check: LedgerCheck,
  upto: bigint,
  differing: readonly HashedEvent[] = [],
): Finding[] {
  const findings = check.faults.flatMap((commit) => [
    ...explainPlace(commit),
    ...explainCount(commit, differing),
  ])
  return check.reached < upto ? [...findings, hole(check.reached, upto)] : findings
}

function explainPlace(commit: LedgerCommit): Finding[] {
  const start = commit.position - commit.eventCount
  if (start > commit.before) return [hole(commit.before, start)]
  if (start === commit.before) return []
  return [
    finding({
      kind: 'ledger-overlap',
      position: start + 1n,
      message:
        `the ledger's row at position ${commit.position} promises ${commit.eventCount} events, ` +
        `but the row before ends at position ${commit.before} already`,
      remedy: findWhoChangedIt,
    }),
  ]
}

function explainCount(commit: LedgerCommit, differing: readonly HashedEvent[]): Finding[] {
  const { held, eventCount, position } = commit
  if (held === eventCount) return []
  const shifted = differing.find((event) => event.commitEnd === position)
  const isMissing = held < eventCount
  const kind = isMissing ? 'event-missing' : 'event-added'
  const place = shifted?.position ?? (isMissing ? position - eventCount + held + 1n : position)
  return [
    finding({
      kind,
      position: place,
      // Of one that is missing nobody can say what it was.
      streamId: isMissing ? null : (shifted?.streamId ?? null),
      version: isMissing ? null : (shifted?.version ?? null),
      message:
        `the ledger promises ${eventCount} events of the commit that ends at position ` +
        `${position}, the table holds ${held}`,
      remedy: findWhoChangedIt,
    }),
  ]
}

function hole(after: bigint, upto: bigint): Finding {
  return finding({
    kind: 'ledger-hole',
    position: after + 1n,
    message: `the ledger has no row for ${nameRange(after + 1n, upto)}`,
    remedy: findWhoChangedIt,
  })
}

/** Writes positions for people: `position 7`, `positions 7 to 9`. */
export function nameRange(first: bigint, last: bigint): string {
  return first === last ? `position ${first}` : `positions ${first} to ${last}`
}
