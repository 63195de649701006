import type { NewEvent } from '../core/event.ts'
import { TidemarkError } from '../core/tidemark-error.ts'

/**
 * What the writer expects of the stream: `'any'` (never fails on a race, queues behind other
 * writers), `'absent'` (version 0), `'present'` (version above 0), or the exact version it saw.
 */
export type Expectation = 'any' | 'absent' | 'present' | bigint

/** Events for one stream, with what the writer expects of it. Default `'any'`. */
export interface StreamAppend {
  readonly streamId: string
  readonly events: readonly NewEvent[]
  readonly expect?: Expectation
}

/** Longest stream id, and longest key, in bytes: its index entry has to fit on a page of the server. */
const maxNameBytes = 1_000

/**
 * Checks an append before anything is sent.
 *
 * @returns what is expected, as SQL takes it.
 * @throws STREAM_ID_INVALID, APPEND_INVALID
 */
export function checkAppend({ streamId, events, expect = 'any' }: StreamAppend): string {
  checkStreamId(streamId)
  if (events.length === 0) throw appendInvalid(`no events for stream "${streamId}"`)
  if (typeof expect === 'bigint' && expect < 0n) {
    throw appendInvalid(`expected version ${expect} is negative`)
  }
  return String(expect)
}

/** @throws STREAM_ID_INVALID when no stream can have this id. */
export function checkStreamId(streamId: string): void {
  const reason = nameFault(streamId)
  if (reason === undefined) return
  throw new TidemarkError('STREAM_ID_INVALID', `a stream id ${reason}`, {
    details: { streamId: streamId.slice(0, 100), reason },
  })
}

/** @throws APPEND_INVALID when the key of an append cannot be stored. */
export function checkAppendKey(key: string | undefined): void {
  const reason = key === undefined ? undefined : nameFault(key)
  if (reason !== undefined) throw appendInvalid(`the key ${reason}`)
}

/** @throws APPEND_INVALID when there is no stream, or one is named twice. */
export function checkStreams(appends: readonly StreamAppend[]): void {
  if (appends.length === 0) throw appendInvalid('no streams')
  const seen = new Set<string>()
  for (const { streamId } of appends) {
    if (seen.has(streamId)) throw appendInvalid(`stream "${streamId}" is named twice in one append`)
    seen.add(streamId)
  }
}

function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'contains U+0000, which Postgres cannot store'
  if (!name.isWellFormed()) return 'contains half of a surrogate pair'
  if (Buffer.byteLength(name) > maxNameBytes) return `is over ${maxNameBytes} bytes long`
  return undefined
}

function appendInvalid(reason: string): TidemarkError {
  return new TidemarkError('APPEND_INVALID', `invalid append: ${reason}`, { details: { reason } })
}
