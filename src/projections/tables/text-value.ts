/** Checks that the server keeps a text as it is. */
export function normalizeText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`it takes a string, not ${nameType(value)}`)
  if (value.includes('\0')) throw new RangeError('a text cannot hold U+0000')
  if (!value.isWellFormed()) throw new RangeError('a text cannot hold half a surrogate pair')
  return value
}

function nameType(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
