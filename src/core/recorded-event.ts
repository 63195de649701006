import type { JsonObject } from './json.ts'

/** An event in the log, in the newest shape of its type. */
export interface RecordedEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
  readonly streamId: string
  /** Place in its stream, from 1. */
  readonly version: bigint
  /** Dense place in the whole log, in commit order. Null until the event is sequenced. */
  readonly position: bigint | null
  readonly id: string
  /** Schema version that was stored; `data` is already in the newest shape. */
  readonly schemaVersion: number
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  readonly recordedAt: Date
}

/** An event read from the log by position: sequenced, so that it has one. */
export type SequencedEvent<Type extends string = string, Data = unknown> = RecordedEvent<
  Type,
  Data
> & { readonly position: bigint }
