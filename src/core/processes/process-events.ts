import type { StandardSchemaV1 } from '@standard-schema/spec'
import { event } from '../event.ts'
import type { Json } from '../json.ts'
import type { RecordedEvent } from '../recorded-event.ts'
import type { InstanceState, ProcessInput, RecordedAction } from './instance.ts'

/** Which event of the log an instance was told of. */
export interface ToldEvent {
  readonly id: string
  readonly type: string
  readonly streamId: string
  /** Whole number. */
  readonly version: string
}

/** A schema for data that nobody but tidemark writes. */
function own<T>(): StandardSchemaV1<T> {
  return {
    '~standard': { version: 1, vendor: 'tidemark', validate: (value) => ({ value: value as T }) },
  }
}

/**
 * An instance was told something, and answered. The answer is what is carried out: it is never computed
 * again. `state` says how it is doing since.
 */
export const ProcessAdvanced = event('tidemark.process.advanced').v(
  1,
  own<{
    readonly told: ToldEvent
    readonly actions: readonly RecordedAction[]
    readonly state: InstanceState
  }>(),
)

/** A command of an instance was carried out: recorded in the transaction that appended its events. */
export const ProcessCommandSucceeded = event('tidemark.process.command-succeeded').v(
  1,
  own<{ readonly action: string }>(),
)

/** A command of an instance was refused by its decider. */
export const ProcessCommandRejected = event('tidemark.process.command-rejected').v(
  1,
  own<{ readonly action: string; readonly code: string; readonly details: Json }>(),
)

/** A command of an instance was given up: it threw each time, and has done nothing. */
export const ProcessCommandGaveUp = event('tidemark.process.command-gave-up').v(
  1,
  own<{ readonly action: string; readonly error: string }>(),
)

/** A timer of an instance has run down. Whether in time, the instance says: its order is the log's. */
export const ProcessTimerElapsed = event('tidemark.process.timer-elapsed').v(
  1,
  own<{ readonly timer: string; readonly name: string }>(),
)

/** Somebody wants what is stuck to be tried again. */
export const ProcessRetryAsked = event('tidemark.process.retry-asked').v(
  1,
  own<{ readonly by: string | null }>(),
)

/** Somebody wants the instance to fail. */
export const ProcessAbortAsked = event('tidemark.process.abort-asked').v(
  1,
  own<{ readonly reason: string }>(),
)

/** Somebody has done by hand what a compensation that is stuck should have done, or nobody needs it. */
export const ProcessSettled = event('tidemark.process.settled').v(
  1,
  own<{ readonly reason: string }>(),
)

/** What an instance is told of besides the events of its definition. */
export const processFacts = [
  ProcessCommandSucceeded,
  ProcessCommandRejected,
  ProcessCommandGaveUp,
  ProcessTimerElapsed,
  ProcessRetryAsked,
  ProcessAbortAsked,
  ProcessSettled,
] as const

/** All events that tidemark writes to the streams of processes. */
export const processEvents = [ProcessAdvanced, ...processFacts] as const

/** The streams of a process begin with this. A name has no hyphen, so that no two processes meet. */
export function processStreamPrefix({ name }: { readonly name: string }): string {
  return `process:${name}-`
}

/** Reads what an instance is told by an event, in the newest shape of its type. */
export function toInput(ownStreamId: string, told: RecordedEvent): ProcessInput {
  if (told.streamId !== ownStreamId) return { kind: 'event', event: told }
  if (ProcessCommandSucceeded.is(told)) return { kind: 'succeeded', ...told.data }
  if (ProcessCommandRejected.is(told)) return { kind: 'rejected', ...told.data }
  if (ProcessCommandGaveUp.is(told)) return { kind: 'gave-up', ...told.data }
  if (ProcessTimerElapsed.is(told)) return { kind: 'timer', timer: told.data.timer }
  if (ProcessRetryAsked.is(told)) return { kind: 'retry' }
  if (ProcessAbortAsked.is(told)) return { kind: 'abort', reason: told.data.reason }
  if (ProcessSettled.is(told)) return { kind: 'settled', reason: told.data.reason }
  throw new Error(`event "${told.type}" tells an instance nothing`)
}
