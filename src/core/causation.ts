import type { NewEvent } from './event.ts'
import type { JsonObject } from './json.ts'

/** What caused an event: a recorded event, or a command or request with an id. */
export interface Cause {
  readonly id: string
  readonly metadata?: JsonObject
}

/** Circumstances that all events of one append share. */
export interface Circumstances {
  /** Sets `causationId` to its id, and `correlationId` to its own, or to its id where it has none. */
  readonly causedBy?: Cause
  /** Added to the metadata of each event. What an event says itself wins. */
  readonly metadata?: JsonObject
}

/** Writes circumstances into the metadata of events. */
export function withCircumstances(
  events: readonly NewEvent[],
  { causedBy, metadata }: Circumstances,
): readonly NewEvent[] {
  if (causedBy === undefined && metadata === undefined) return events
  const shared = { ...metadata, ...(causedBy && causation(causedBy)) }
  return events.map((event) => ({ ...event, metadata: { ...shared, ...event.metadata } }))
}

function causation({ id, metadata }: Cause): JsonObject {
  return { correlationId: metadata?.correlationId ?? id, causationId: id }
}
