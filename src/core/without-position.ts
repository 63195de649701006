import type { RecordedEvent, SequencedEvent } from './recorded-event.ts'

/**
 * Makes an event for handlers that are called before it has a position: whoever reads `position` all the
 * same gets an error, not a wrong value. For good: a copy by `{ ...event }` has no position.
 */
export function withoutPosition({ position: _, ...event }: RecordedEvent): SequencedEvent {
  return Object.defineProperty(event, 'position', {
    get: refuse,
    enumerable: false,
  }) as SequencedEvent
}

/** Reads the position of an event; null when it has none yet. */
export function positionOf(event: Pick<RecordedEvent, 'position'>): bigint | null {
  return Object.getOwnPropertyDescriptor(event, 'position')?.value ?? null
}

function refuse(): never {
  throw new Error(
    'an event has no position yet while a projection is applied inline: do without `event.position`, or ' +
      'make the projection asynchronous',
  )
}
