import type { SequencedEvent } from '../../core/recorded-event.ts'
import type { Lane } from '../lane.ts'

/** An event that a lane has not applied. */
export interface ParkedEvent {
  readonly lane: string
  readonly key: string
  readonly event: SequencedEvent
  /** Why; null for one that waits behind another of its key. */
  readonly error: unknown
}

/** A key of a lane, and how many of its events are parked. */
export interface ParkedCount {
  readonly lane: string
  readonly key: string
  readonly events: number
}

/**
 * Names what an event concerns in a lane, as the database will spell it: half a surrogate pair cannot be
 * stored.
 *
 * @throws HANDLER_FAILED for a key function of the user that threw.
 */
export function keyIn(lane: Lane, event: SequencedEvent): string | null {
  return lane.keyOf(event)?.toWellFormed() ?? null
}

/** The keys of each lane whose events are parked, as the owner of a subscription knows them. */
export class ParkedKeys {
  readonly #lanes = new Map<string, Set<string>>()
  #events = 0

  constructor(counts: readonly ParkedCount[] = []) {
    for (const { lane, key, events } of counts) this.#add(lane, key, events)
  }

  /** How many events are parked. */
  get events(): number {
    return this.#events
  }

  /** Whether any event of a lane is parked. */
  isIn(lane: string): boolean {
    return this.#lanes.has(lane)
  }

  has(lane: string, key: string): boolean {
    return this.#lanes.get(lane)?.has(key) === true
  }

  /** Learns of events whose parking is committed. */
  add(events: readonly ParkedEvent[]): void {
    for (const { lane, key } of events) this.#add(lane, key, 1)
  }

  #add(lane: string, key: string, events: number): void {
    const keys = this.#lanes.get(lane) ?? new Set()
    this.#lanes.set(lane, keys.add(key))
    this.#events += events
  }
}
