import type pg from 'pg'
import type { SequencedEvent } from '../core/recorded-event.ts'
import { settleAll } from '../db/settle-all.ts'
import { handlerFailed } from './handler-failed.ts'
import type { Chunk, Lane } from './lane.ts'
import { keyIn, type ParkedEvent, type ParkedKeys } from './parking/parked-keys.ts'
import type { Subscriber } from './subscriber.ts'

/**
 * Applies a chunk to every lane, but for what has to wait behind parked events. On a pipelined connection
 * what the lanes ask of the server travels together.
 *
 * @param chunk with its events as they were stored. They may stay in the server while nothing is parked.
 * @returns the events to park.
 * @throws HANDLER_FAILED, or the database's error of the first lane that failed.
 */
export async function applyLanes(
  subscriber: Subscriber,
  client: pg.ClientBase,
  chunk: Chunk,
  parked: ParkedKeys,
): Promise<readonly ParkedEvent[]> {
  if (chunk.events?.length === 0) return []
  const events = chunk.events?.map((event) => upcastFor(subscriber, event)) ?? null
  const behind: ParkedEvent[] = []
  const shares = subscriber.lanes.map((lane) => ({
    lane,
    events: events === null ? null : withoutParked(lane, events, parked, behind),
  }))
  await settleAll(shares.map(({ lane, events }) => lane.apply(client, { ...chunk, events })))
  return behind
}

/**
 * Brings an event to its newest shape.
 *
 * @throws HANDLER_FAILED when its upcaster threw, or newer code wrote it.
 */
export function upcastFor(subscriber: Subscriber, event: SequencedEvent): SequencedEvent {
  try {
    return subscriber.upcast(event)
  } catch (error) {
    throw handlerFailed(subscriber.id, event, error)
  }
}

/** Tells the lanes that what they applied last is committed. */
export function commitLanes({ lanes }: Subscriber): void {
  for (const lane of lanes) lane.committed()
}

/** Has the lanes forget what they know of rows. */
export function resetLanes({ lanes }: Subscriber): void {
  for (const lane of lanes) lane.reset()
}

function withoutParked(
  lane: Lane,
  events: readonly SequencedEvent[],
  parked: ParkedKeys,
  behind: ParkedEvent[],
): readonly SequencedEvent[] {
  if (!parked.isIn(lane.name)) return events
  return events.filter((event) => {
    const key = keyIn(lane, event)
    if (key === null || !parked.has(lane.name, key)) return true
    behind.push({ lane: lane.name, key, event, error: null })
    return false
  })
}
