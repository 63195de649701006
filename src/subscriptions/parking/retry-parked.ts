import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { commitLanes, resetLanes, upcastFor } from '../apply-lanes.ts'
import { reviseSubscription } from '../checkpoint.ts'
import { chunkLimits } from '../chunk-transaction.ts'
import type { Lane } from '../lane.ts'
import type { Subscriber } from '../subscriber.ts'
import { describeSubscription, type SubscriptionId } from '../subscription-id.ts'
import { describeError } from './park-events.ts'
import { listParked, type ParkedError, type ParkedKey } from './parked-key.ts'
import { readParkedChunk } from './read-parked-chunk.ts'
import { tryLanes } from './try-lanes.ts'

export interface RetryOptions {
  /** Only of this lane: the table of a fold, `each` or `batch`. */
  readonly lane?: string
  /** Only of this key. */
  readonly key?: string
  /** How long to wait at most for whoever holds a lock on the subscription or on rows. Default 10,000. */
  readonly lockTimeoutMs?: number
  /** Stops between two keys. */
  readonly signal?: AbortSignal
}

export interface RetryResult {
  /** Events that were applied and are parked no more. */
  readonly applied: number
  /** Keys of which everything was applied. */
  readonly keys: number
  /** Keys whose first event failed again, and why. */
  readonly failed: readonly RetryFailure[]
}

export interface RetryFailure {
  readonly lane: string
  readonly key: string
  /** The event. */
  readonly position: bigint
  readonly type: string
  readonly streamId: string
  readonly error: ParkedError
}

/** Events of one transaction. */
const batchSize = 500

/**
 * Applies parked events, key by key and in order. One that fails again stays, with its new error, and so
 * does what follows it. Up to 500 events of a key are one transaction, which locks the subscription:
 * whoever delivers it waits, and then begins anew. So the order of a key is kept, whatever arrives
 * meanwhile, and however many processes retry at once.
 *
 * @throws PARKED_EVENT_UNKNOWN when a lane or key was named and nothing of it is parked.
 * @throws HANDLER_FAILED when an event cannot be brought to its newest shape.
 * @throws LOCK_TIMED_OUT when somebody held a lock all the time. The keys before are retried.
 */
export async function retryParked(
  pool: pg.Pool,
  names: LogNames,
  subscriber: Subscriber,
  options: RetryOptions = {},
): Promise<RetryResult> {
  const { signal, lockTimeoutMs = chunkLimits.lockTimeoutMs, ...target } = options
  const parked = await listParked(pool, names, { ...subscriber.id, ...target })
  const isNamed = target.lane !== undefined || target.key !== undefined
  if (parked.length === 0 && isNamed) throw parkedUnknown(subscriber.id, target)
  let [applied, keys] = [0, 0]
  const failed: RetryFailure[] = []
  for (const key of parked) {
    if (signal?.aborted === true) break
    const outcome = await retryKey({ pool, names, subscriber, lockTimeoutMs }, key)
    applied += outcome.applied
    if (outcome.failure === null) keys += 1
    else failed.push(outcome.failure)
  }
  return { applied, keys, failed }
}

interface Outcome {
  readonly applied: number
  readonly failure: RetryFailure | null
}

/** What a retry is carried out with. */
interface Retry {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly subscriber: Subscriber
  readonly lockTimeoutMs: number
}

async function retryKey(retry: Retry, key: ParkedKey): Promise<Outcome> {
  const { subscriber } = retry
  const lane = subscriber.lanes.find(({ name }) => name === key.lane)
  if (lane === undefined) throw laneUnknown(subscriber, key.lane)
  let applied = 0
  for (;;) {
    const part = await retryPart(retry, lane, key)
    applied += part.applied
    if (part.failure !== null || part.isLast) return { applied, failure: part.failure }
  }
}

async function retryPart(
  { pool, names, subscriber, lockTimeoutMs }: Retry,
  lane: Lane,
  { key }: ParkedKey,
): Promise<Outcome & { readonly isLast: boolean }> {
  // Between two transactions somebody else may have written the rows.
  resetLanes(subscriber)
  const { id } = subscriber
  const body = async (client: pg.PoolClient) => {
    // First, so that whoever delivers waits, and reads what is parked after it.
    if (!(await reviseSubscription(client, names, id))) throw parkedUnknown(id, { key })
    const stored = await readParkedChunk(client, names, id, { lane: lane.name, key, batchSize })
    const events = stored.map((event) => upcastFor(subscriber, event))
    const { applied, error } = await applyInOrder(client, lane, events)
    await unpark(client, names, id, lane, events.slice(0, applied))
    const culprit = events[applied]
    const failure = culprit === undefined ? null : toFailure(lane, key, culprit, error)
    if (failure !== null) await keepError(client, names, id, failure)
    failpoint('parked-retried')
    return { applied, failure, isLast: events.length < batchSize }
  }
  const limits = { ...chunkLimits, lockTimeoutMs }
  const result = await transaction(pool, body, limits).catch((error: unknown) => {
    throw sqlstateOf(error) === sqlstate.lockNotAvailable
      ? lockTimedOut(id, key, lockTimeoutMs, error)
      : error
  })
  commitLanes(subscriber)
  return result
}

/** All at once; when that fails one by one, up to the first that fails. */
async function applyInOrder(
  client: pg.ClientBase,
  lane: Lane,
  events: readonly SequencedEvent[],
): Promise<{ readonly applied: number; readonly error?: unknown }> {
  if ((await tryEvents(client, lane, events)).size === 0) return { applied: events.length }
  for (const [applied, event] of events.entries()) {
    const failures = await tryEvents(client, lane, [event])
    if (failures.size > 0) return { applied, error: failures.get(lane) }
  }
  return { applied: events.length }
}

async function tryEvents(client: pg.ClientBase, lane: Lane, events: readonly SequencedEvent[]) {
  const [first, last] = [events[0], events.at(-1)]
  if (first === undefined || last === undefined) return new Map<Lane, unknown>()
  const chunk = { after: first.position - 1n, upto: last.position, events }
  return tryLanes(client, [lane], chunk)
}

async function unpark(
  client: pg.ClientBase,
  names: LogNames,
  id: SubscriptionId,
  lane: Lane,
  events: readonly SequencedEvent[],
): Promise<void> {
  await client.query(
    /* sql */ `
    delete from ${names.schema}.parked_events
    where kind = $1 and name = $2 and version = $3 and lane = $4 and position = any ($5)`,
    [id.kind, id.name, id.version, lane.name, events.map(({ position }) => `${position}`)],
  )
}

async function keepError(
  client: pg.ClientBase,
  names: LogNames,
  id: SubscriptionId,
  { lane, position, error }: RetryFailure,
): Promise<void> {
  await client.query(
    /* sql */ `
    update ${names.schema}.parked_events
    set error = $6, attempts = attempts + 1
    where kind = $1 and name = $2 and version = $3 and lane = $4 and position = $5`,
    [id.kind, id.name, id.version, lane, `${position}`, JSON.stringify(error)],
  )
}

function toFailure(
  lane: Lane,
  key: string,
  { position, type, streamId }: SequencedEvent,
  error: unknown,
): RetryFailure {
  return { lane: lane.name, key, position, type, streamId, error: describeError(error) }
}

/** Says that nothing is parked where somebody looked for it. */
export function parkedUnknown(
  id: SubscriptionId,
  target: { readonly lane?: string; readonly key?: string; readonly position?: bigint },
): TidemarkError {
  const subscription = describeSubscription(id)
  const { lane, key, position } = target
  const place = [
    ...(position === undefined ? [] : [` at position ${position}`]),
    ...(key === undefined ? [] : [` of key "${key}"`]),
    ...(lane === undefined ? [] : [` in lane "${lane}"`]),
  ].join('')
  return new TidemarkError(
    'PARKED_EVENT_UNKNOWN',
    `${subscription} has no event parked${place}: \`tidemark parked list\` shows what is`,
    { details: { subscription } },
  )
}

function lockTimedOut(
  id: SubscriptionId,
  key: string,
  timeoutMs: number,
  cause: unknown,
): TidemarkError {
  const resource = describeSubscription(id)
  return new TidemarkError(
    'LOCK_TIMED_OUT',
    `parked events of key "${key}" of ${resource} were not retried: somebody held a lock on its rows or its ` +
      `subscription for ${timeoutMs} ms. End that transaction and retry`,
    { details: { resource, timeoutMs }, cause },
  )
}

function laneUnknown(subscriber: Subscriber, lane: string): TidemarkError {
  const subscription = describeSubscription(subscriber.id)
  const reason = `its definition has no lane "${lane}" any more: discard what is parked there`
  return new TidemarkError('DEFINITION_INVALID', `${subscription}: ${reason}`, {
    details: { name: subscriber.id.name, reason },
  })
}
