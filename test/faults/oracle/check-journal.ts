import type { FaultList } from './fault-list.ts'

/** What a writer knows of a transaction; see the suite's journal. */
export interface KnownTransaction {
  readonly kind: string
  readonly eventIds: readonly string[]
  readonly fate: 'committed' | 'absent' | 'unknown'
}

/** Holds what is in the log against what the writers know. */
export function checkJournal(
  known: readonly KnownTransaction[],
  log: { has(eventId: string): boolean; readonly eventCount: number },
  faults: FaultList,
): void {
  let expected = 0
  for (const { kind, eventIds, fate } of known) {
    const there = eventIds.filter((id) => log.has(id)).length
    expected += there
    const name = `${kind} of ${eventIds.length} events from ${eventIds[0]}`
    if (fate === 'committed' && there < eventIds.length) {
      faults.add('lost', `${name} was committed, and ${there} have a position`)
    }
    if (fate === 'absent' && there > 0) {
      faults.add('rolled back', `${name} was not committed, and ${there} have a position`)
    }
    if (fate === 'unknown' && there !== 0 && there !== eventIds.length) {
      faults.add('torn', `${name} is there with ${there} events`)
    }
  }
  if (expected !== log.eventCount) {
    faults.add('rolled back', `${log.eventCount - expected} events are there that nobody wrote`)
  }
}
