import { checkAppend, checkAppendKey, type StreamAppend } from './check-append.ts'
import { type EncodedEvents, type EncodeOptions, encodeEvents } from './encode-events.ts'

export interface AppendCallOptions extends EncodeOptions {
  /**
   * Makes the append idempotent: of all appends with one key, one is carried out, and the others
   * get its result. Such as the id of a request.
   */
  readonly key?: string | undefined
}

/** An append that was checked, as SQL takes it. */
export interface EncodedAppend {
  readonly streamId: string
  readonly expect: string
  readonly key: string | null
  readonly events: EncodedEvents
  /** Whether all events came with ids, so that a retry can be told by them. */
  readonly hasIds: boolean
}

/** @throws STREAM_ID_INVALID, APPEND_INVALID, EVENT_DATA_INVALID, EVENT_TOO_LARGE */
export function encodeAppend(append: StreamAppend, options: AppendCallOptions): EncodedAppend {
  const expect = checkAppend(append)
  checkAppendKey(options.key)
  return {
    streamId: append.streamId,
    expect,
    key: options.key ?? null,
    events: encodeEvents(append.events, options),
    hasIds: append.events.every(({ id }) => id !== undefined),
  }
}
