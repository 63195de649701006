import { createHash } from 'node:crypto'
import type { AnyDecider } from '../core/decider.ts'
import { encodeState } from '../core/encode-state.ts'

const hashes = new WeakMap<AnyDecider, string>()

/**
 * Tells states apart that were made by different code, as far as code can tell: by the decider's
 * `version`, the types and schema versions of its events, and its initial state. A change inside
 * `evolve` is not seen, because a function's text does not contain the functions that it calls: that
 * is what `version` is for (decision 0013).
 */
export function definitionHash(decider: AnyDecider): string {
  const known = hashes.get(decider)
  if (known !== undefined) return known
  const types = decider.events.map(({ type, schemaVersion }) => `${type} ${schemaVersion}`)
  const parts = JSON.stringify([decider.version, types.toSorted(), initialOf(decider)])
  const hash = createHash('sha256').update(parts).digest('hex')
  hashes.set(decider, hash)
  return hash
}

function initialOf(decider: AnyDecider): string | null {
  try {
    return encodeState(decider, decider.initial())
  } catch {
    return null // Taking a snapshot fails in the same way, and says so.
  }
}
