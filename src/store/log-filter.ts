import { optionInvalid } from '../core/option-invalid.ts'
import { checkText } from './check-read.ts'

/** Which events of the log to read: those for which all that is given holds. */
export interface LogFilter {
  /** Their type is one of these. */
  readonly types?: readonly string[]
  /** Their stream is of this category: `order` stands for all streams `order-…`. */
  readonly category?: string
  /** They have all of these tags. */
  readonly tags?: readonly string[]
  /** Their metadata has this `correlationId`. At most 500 bytes. */
  readonly correlationId?: string
  /** They were recorded then or later, by the server's clock. Answered in the order of the log. */
  readonly recordedFrom?: Date
  /** They were recorded before. */
  readonly recordedTo?: Date
}

/** A filter as the SQL functions take it: null where all are wanted. */
export type EncodedFilter = readonly [
  types: readonly string[] | null,
  category: string | null,
  tags: readonly string[] | null,
  correlationId: string | null,
  recordedFrom: string | null,
  recordedTo: string | null,
]

/** @throws OPTION_INVALID when no event could be found by a value. */
export function encodeFilter(filter: LogFilter): EncodedFilter {
  const { types, category, tags, correlationId, recordedFrom, recordedTo } = filter
  checkTexts('types', types)
  checkTexts('tags', tags)
  if (category !== undefined) checkText('category', category)
  if (correlationId !== undefined) checkCorrelationId(correlationId)
  return [
    types ?? null,
    category ?? null,
    tags === undefined || tags.length === 0 ? null : tags,
    correlationId ?? null,
    encodeTime('recordedFrom', recordedFrom),
    encodeTime('recordedTo', recordedTo),
  ]
}

function checkTexts(option: string, texts: readonly string[] | undefined): void {
  if (texts === undefined) return
  if (!Array.isArray(texts)) throw optionInvalid(option, 'it is not an array')
  for (const text of texts) checkText(option, text)
}

/** A longer one is not in the index, so that an event with one could still be appended. */
const maxCorrelationIdBytes = 500

function checkCorrelationId(id: string): void {
  checkText('correlationId', id)
  if (Buffer.byteLength(id) <= maxCorrelationIdBytes) return
  throw optionInvalid('correlationId', `it is over ${maxCorrelationIdBytes} bytes long`)
}

function encodeTime(option: string, time: Date | undefined): string | null {
  if (time === undefined) return null
  const year = time instanceof Date ? time.getUTCFullYear() : Number.NaN
  if (year >= 1 && year <= 9_999) return time.toISOString()
  throw optionInvalid(option, 'it is not a time in the years 1 to 9999')
}
