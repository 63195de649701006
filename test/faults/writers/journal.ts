/**
 * What a writer knows of its transaction: that it was committed, that nothing of it was kept, or
 * neither, because the connection was lost before the answer. Then it is there as a whole or not at all.
 */
export type Fate = 'committed' | 'absent' | 'unknown'

/** The events of one transaction, or of one append of a group, which is as whole. */
export interface JournalEntry {
  readonly kind: string
  readonly eventIds: readonly string[]
  readonly fate: Fate
}

/** Makes the n-th id of a run. */
export function eventId(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

/** What the writers know, beside the database. Never lost, whatever the server does. */
export class Journal {
  readonly entries: JournalEntry[] = []
  #drawn = 0

  /** Makes the id of an event: unique, and the n-th of a run tells so. */
  drawId(): string {
    return eventId(this.reserve(1))
  }

  /** Reserves ids for another process. @returns which one is the first. */
  reserve(count: number): number {
    const first = this.#drawn + 1
    this.#drawn += count
    return first
  }

  settle(kind: string, eventIds: readonly string[], fate: Fate): void {
    if (eventIds.length > 0) this.entries.push({ kind, eventIds, fate })
  }
}
