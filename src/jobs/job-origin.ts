import type { JsonObject } from '../core/json.ts'
import type { SequencedEvent } from '../core/recorded-event.ts'

/** Where a job comes from, as it travels in its payload. */
export interface JobOrigin {
  /** Tells the job from every other one, whatever row of graphile-worker it has. */
  readonly key: string
  readonly reactor?: string
  readonly event?: JobEvent
  readonly correlationId?: string
  readonly causationId?: string
  /** The lane that it keeps its order in. */
  readonly lane?: string
  /** Whether the next one of its key takes its place. */
  readonly coalesces?: true
}

/** The event that asked for a job. */
export interface JobEvent {
  readonly id: string
  readonly type: string
  readonly streamId: string
  readonly position: bigint
}

/** The name under which it stands in a payload, beside what the task's schema knows. */
export const originField = '_tidemark'

/** What graphile-worker adds to the payload of a job by the clock. */
const cronField = '_cron'

/** Names the n-th job that an event asks of a reactor: the same however often that is enqueued. */
export function reactorOrigin(reactor: string, event: SequencedEvent, index: number): JobOrigin {
  const { id, type, streamId, position, metadata } = event
  const { correlationId } = metadata
  return {
    key: reactorKey(reactor, id, index),
    reactor,
    event: { id, type, streamId, position },
    correlationId: typeof correlationId === 'string' ? correlationId : id,
    causationId: id,
  }
}

function reactorKey(reactor: string, eventId: string, index: number): string {
  return `${reactor}:${eventId}:${index}`
}

/** An origin as it is stored. What follows from the rest is left out: it would double what most jobs weigh. */
interface StoredOrigin extends Partial<Omit<JobOrigin, 'event'>> {
  readonly event?: Omit<JobEvent, 'position'> & { readonly position: string }
  readonly payload?: unknown
}

/**
 * Puts an origin into a payload: as one more field, so that others who read the queue find the payload as
 * they know it. What is no object goes into that field, too; and never is the whole an array, which
 * graphile-worker would join to another.
 */
export function sealPayload(payload: unknown, origin: JobOrigin): JsonObject {
  const stored = toStored(origin)
  if (isPlain(payload) && !(originField in payload))
    return { ...payload, [originField]: stored } as unknown as JsonObject
  return { [originField]: { ...stored, payload: payload ?? null } } as unknown as JsonObject
}

function toStored(origin: JobOrigin): StoredOrigin {
  const { key, reactor, event, correlationId, causationId, lane, coalesces } = origin
  return {
    ...(event && { event: { ...event, position: event.position.toString() } }),
    ...(reactor !== undefined && { reactor }),
    ...(key !== derivedKey(reactor, event) && { key }),
    ...(correlationId !== event?.id && { correlationId }),
    ...(causationId !== event?.id && { causationId }),
    ...(lane !== undefined && { lane }),
    ...(coalesces !== undefined && { coalesces }),
  } as StoredOrigin
}

/** Most events ask for one job. */
function derivedKey(reactor: string | undefined, event: { readonly id: string } | undefined) {
  if (reactor === undefined || event === undefined) return undefined
  return reactorKey(reactor, event.id, 0)
}

/** A payload as it was given, and what stood beside it. */
export interface OpenedPayload {
  readonly payload: unknown
  /** Null for a job that others enqueued. */
  readonly origin: JobOrigin | null
  /** Of a job by the clock: when it was due, and whether that was missed. */
  readonly cron: { readonly dueAt: Date; readonly isBackfilled: boolean } | null
}

/** Takes a payload apart. */
export function openPayload(stored: unknown): OpenedPayload {
  if (!isPlain(stored)) return { payload: stored, origin: null, cron: null }
  const { [originField]: field, ...rest } = stored
  const { payload = rest, ...fields } = isPlain(field) ? field : {}
  const origin = toOrigin(fields as StoredOrigin)
  if (origin !== null) return { payload, origin, cron: null }
  const { [cronField]: cron, ...plain } = rest
  return { payload: plain, origin: null, cron: toCron(cron) }
}

function toOrigin({ event, ...rest }: StoredOrigin): JobOrigin | null {
  const key = rest.key ?? derivedKey(rest.reactor, event)
  if (key === undefined) return null
  if (event === undefined) return { ...rest, key }
  const { id } = event
  return {
    correlationId: id,
    causationId: id,
    ...rest,
    key,
    event: { ...event, position: BigInt(event.position) },
  }
}

function toCron(cron: unknown): OpenedPayload['cron'] {
  if (!isPlain(cron)) return null
  return { dueAt: new Date(String(cron.ts)), isBackfilled: cron.backfilled === true }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
