import { optionInvalid } from '../core/option-invalid.ts'

/** Largest `bigint` of the server: no version and no position is above it. */
const maxBigint = 2n ** 63n - 1n

/** Most events that one page may hold: all of them are in memory at once. */
const maxPageEvents = 100_000

/** @throws OPTION_INVALID when a version or position is negative or not one at all. */
export function checkPlace(option: string, place: bigint | undefined): void {
  if (place === undefined) return
  if (typeof place !== 'bigint') throw optionInvalid(option, 'it is not a bigint')
  if (place < 0n || place > maxBigint) throw optionInvalid(option, `${place} is out of range`)
}

/** @throws OPTION_INVALID when a page cannot have this size. */
export function checkMaxEvents(maxEvents: number, { min, option = 'maxEvents' }: PageSize): void {
  if (Number.isInteger(maxEvents) && maxEvents >= min && maxEvents <= maxPageEvents) return
  throw optionInvalid(option, `${maxEvents} is not a whole number from ${min} to ${maxPageEvents}`)
}

interface PageSize {
  readonly min: 0 | 1
  readonly option?: string
}

/** @throws OPTION_INVALID when text cannot be stored, so that nothing can be found by it. */
export function checkText(option: string, text: string): void {
  if (typeof text !== 'string' || text === '') throw optionInvalid(option, 'it is empty')
  if (text.includes('\0') || !text.isWellFormed()) {
    throw optionInvalid(option, 'it contains U+0000 or half of a surrogate pair')
  }
}

/**
 * Reads a cursor, as it came back from a URL.
 *
 * @throws OPTION_INVALID when it is not one. Whatever is one is harmless: it says where to read on,
 *   not what may be read.
 */
export function parseCursor(cursor: string): bigint {
  const place = /^(0|[1-9]\d{0,18})$/.test(cursor) ? BigInt(cursor) : -1n
  if (place < 0n || place > maxBigint) {
    throw optionInvalid('cursor', 'it is not the `next` of a page')
  }
  return place
}
