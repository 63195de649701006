import type pg from 'pg'
import type { SequencedEvent } from '../core/recorded-event.ts'
import { settleAll } from '../db/settle-all.ts'
import { handlerFailed } from './handler-failed.ts'
import type { Chunk } from './lane.ts'
import type { Subscriber } from './subscriber.ts'

/**
 * Applies a chunk to every lane. On a pipelined connection what the lanes ask of the server travels
 * together.
 *
 * @throws HANDLER_FAILED, or the database's error of the first lane that failed.
 */
export async function applyLanes(
  subscriber: Subscriber,
  client: pg.ClientBase,
  chunk: Chunk,
): Promise<void> {
  if (chunk.events?.length === 0) return
  const events = chunk.events?.map((event) => upcast(subscriber, event)) ?? null
  await settleAll(subscriber.lanes.map((lane) => lane.apply(client, { ...chunk, events })))
}

function upcast(subscriber: Subscriber, event: SequencedEvent): SequencedEvent {
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
