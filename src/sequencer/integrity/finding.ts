/** What can be wrong with a log. `docs/integrity.md` explains each. */
export type FindingKind =
  | 'event-changed'
  | 'event-missing'
  | 'event-added'
  | 'event-skipped'
  | 'run-changed'
  | 'event-waiting'
  | 'version-missing'
  | 'ledger-hole'
  | 'ledger-overlap'
  | 'sequencer-differs'
  | 'seal-changed'
  | 'seal-missing'
  | 'checkpoint-differs'
  | 'subscription-ahead'
  | 'subscription-inside-commit'
  | 'events-parked'
  | 'partitions-incomplete'
  | 'projection-unsubscribed'
  | 'subscription-unowned'
  | 'outbox-differs'
  | 'message-skipped'
  | 'message-waiting'

/** One thing that is wrong with a log: what, where, and what to do. Never holds an event's data. */
export interface Finding {
  readonly kind: FindingKind
  /** A warning can have an innocent cause; an error cannot. */
  readonly severity: 'error' | 'warning'
  /** Position in the log that it is about; null when it is about none. */
  readonly position: bigint | null
  /** Stream and version of the event, where one can be named. */
  readonly streamId: string | null
  readonly version: bigint | null
  readonly message: string
  readonly remedy: string
}

/** What a finding must say; the rest has defaults. */
export type FindingFields = Pick<Finding, 'kind' | 'message' | 'remedy'> & Partial<Finding>

/** Makes a finding: an error about no position and no event, unless it says otherwise. */
export function finding(fields: FindingFields): Finding {
  return { severity: 'error', position: null, streamId: null, version: null, ...fields }
}

/** Sorts findings by position, so that the first is the first in the log; those about none go last. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => {
    if (a.position === b.position) return 0
    if (a.position === null) return 1
    if (b.position === null) return -1
    return a.position < b.position ? -1 : 1
  })
}

/** What to do about data that somebody changed past the triggers. */
export const findWhoChangedIt =
  'find out who had the rights to get past the triggers; restore these rows from a backup'
