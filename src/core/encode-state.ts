import type { AnyDecider } from './decider.ts'

/** Writes a state as JSON text, as the decider encodes it. */
export function encodeState(decider: AnyDecider, state: unknown): string {
  const encode = decider.snapshot?.encode as ((state: unknown) => unknown) | undefined
  return JSON.stringify(encode === undefined ? state : encode(state)) ?? 'null'
}

/** Reads a state from what {@link encodeState} wrote. */
export function decodeState(decider: AnyDecider, text: string): unknown {
  const decode = decider.snapshot?.decode as ((encoded: unknown) => unknown) | undefined
  const encoded: unknown = JSON.parse(text)
  return decode === undefined ? encoded : decode(encoded)
}
