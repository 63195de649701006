/** The longest that a receiver may ask to be left alone: a day. */
const maxMs = 24 * 60 * 60 * 1000

/**
 * Reads the header `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. Null when it says nothing that can
 * be understood.
 */
export function readRetryAfter(value: string | undefined, now: Date): number | null {
  if (value === undefined) return null
  const text = value.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), maxMs)
}
