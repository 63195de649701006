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

/** What the writers know, beside the database. Never lost, whatever the server does. */
export class Journal {
  readonly entries: JournalEntry[] = []
  #drawn = 0

  /** Makes the id of an event: unique, and the n-th of a run tells so. */
  drawId(): string {
    this.#drawn += 1
    return `00000000-0000-7000-8000-${this.#drawn.toString(16).padStart(12, '0')}`
  }

  settle(kind: string, eventIds: readonly string[], fate: Fate): void {
    if (eventIds.length > 0) this.entries.push({ kind, eventIds, fate })
  }
}
