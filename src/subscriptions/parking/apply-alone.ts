import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { isTidemarkError, type TidemarkError } from '../../core/tidemark-error.ts'
import { upcastFor } from '../apply-lanes.ts'
import { chunkTransaction } from '../chunk-transaction.ts'
import { handlerFailed } from '../handler-failed.ts'
import type { Lane } from '../lane.ts'
import type { Subscriber } from '../subscriber.ts'
import type { Delivery } from '../subscription-context.ts'
import { keyIn, type ParkedEvent } from './parked-keys.ts'
import type { FetchedChunk } from './split-chunk.ts'
import { tryLanes } from './try-lanes.ts'

/**
 * Applies the one event of a chunk, each lane by itself. Where that fails the event is parked, or the
 * subscription stops in front of it, whichever its policy is. An event whose key in a lane nobody knows
 * cannot be parked.
 *
 * @throws HANDLER_FAILED with the event, PARKING_FULL, and what a new delivery may mend.
 */
export async function applyAlone(
  subscriber: Subscriber,
  delivery: Delivery,
  chunk: FetchedChunk,
): Promise<void> {
  const [event] = chunk.events
  if (event === undefined) throw new Error('there is no event to apply alone')
  let failed: readonly ParkedEvent[] = []
  await chunkTransaction(subscriber, delivery, chunk, async (client) => {
    const shares = shareOut(subscriber, delivery, upcastFor(subscriber, event))
    failed = await applyEach(client, shares.free, chunk)
    const [first] = failed
    if (first !== undefined && subscriber.onError !== 'park')
      throw asHandlerFailed(subscriber, first)
    return [...shares.behind, ...failed]
  })
  for (const one of failed) announce(subscriber, delivery, one)
}

/** A lane that an event concerns. */
interface Share {
  readonly lane: Lane
  readonly key: string
  readonly event: SequencedEvent
}

/** Which lanes can apply an event, and where it has to wait behind another. */
function shareOut(subscriber: Subscriber, { parked }: Delivery, event: SequencedEvent) {
  const shares = subscriber.lanes.flatMap((lane): Share[] => {
    const key = keyIn(lane, event)
    return key === null ? [] : [{ lane, key, event }]
  })
  const isParked = ({ lane, key }: Share) => parked.has(lane.name, key)
  return {
    free: shares.filter((share) => !isParked(share)),
    behind: shares.filter(isParked).map((share) => toParked(share, null)),
  }
}

async function applyEach(
  client: pg.ClientBase,
  shares: readonly Share[],
  { after, upto }: FetchedChunk,
): Promise<readonly ParkedEvent[]> {
  const events = shares.slice(0, 1).map(({ event }) => event)
  const lanes = shares.map(({ lane }) => lane)
  const failures = await tryLanes(client, lanes, { after, upto, events })
  return shares.flatMap((share) =>
    failures.has(share.lane) ? [toParked(share, failures.get(share.lane))] : [],
  )
}

function toParked({ lane, key, event }: Share, error: unknown): ParkedEvent {
  // A handler may throw nothing at all, which is an error all the same.
  return { lane: lane.name, key, event, error: error === undefined ? 'undefined' : error }
}

function asHandlerFailed({ id }: Subscriber, { event, error }: ParkedEvent): TidemarkError {
  return isTidemarkError(error, 'HANDLER_FAILED') ? error : handlerFailed(id, event, error)
}

function announce(subscriber: Subscriber, { logger }: Delivery, parked: ParkedEvent): void {
  const failure = asHandlerFailed(subscriber, parked)
  const { lane, key } = parked
  const fields = { code: failure.code, subscription: subscriber.id, lane, key, err: failure }
  logger.error(fields, `${failure.message}; it is parked, and so is what follows of its key`)
}
