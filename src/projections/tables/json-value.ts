import type { Json } from '../../core/json.ts'
import { normalizeText } from './text-value.ts'

/**
 * Copies a value as jsonb gives it back: names in the server's order, which is that of their length
 * and then of their bytes, no -0, and nothing that is undefined. Throws for what JSON would lose.
 */
export function normalizeJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
      return normalizeText(value)
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value + 0
      throw new RangeError('JSON has no NaN and no infinity')
    case 'object':
      return value === null ? null : normalizeObject(value)
    default:
      throw new TypeError(`JSON has no ${typeof value}`)
  }
}

function normalizeObject(value: object): Json {
  if (Array.isArray(value)) return Array.from(value, (item) => normalizeJson(item ?? null))
  if ('toJSON' in value && typeof value.toJSON === 'function') return normalizeJson(value.toJSON())
  if (!isPlain(value)) throw new TypeError('JSON has plain objects only')
  const copy: Record<string, Json> = {}
  for (const [name, item] of Object.entries(value).sort(byName)) {
    if (item === undefined) continue
    const member = normalizeJson(item)
    if (normalizeText(name) === '__proto__') defineOwn(copy, name, member)
    else copy[name] = member
  }
  return copy
}

/** An assignment would set the prototype. */
function defineOwn(copy: object, name: string, value: Json): void {
  Object.defineProperty(copy, name, { value, enumerable: true, writable: true, configurable: true })
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  const length = Buffer.byteLength(a) - Buffer.byteLength(b)
  return length === 0 ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : length
}
