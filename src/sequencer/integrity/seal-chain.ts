import { hash } from 'node:crypto'

/** Bytes of an event's hash that a seal keeps, to name the event that changed. */
export const digestLength = 8

/**
 * Continues the hash chain by the hash of one event. The chain at a position is a function of the
 * events up to it and nothing else, however they were divided into runs.
 */
export function extendChain(previous: Uint8Array, eventHash: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([previous, eventHash]), 'buffer')
}

/** Continues the hash chain by the hashes of events in the order of their positions. */
export function chainOf(previous: Uint8Array, eventHashes: Iterable<Uint8Array>): Uint8Array {
  let chain = previous
  for (const eventHash of eventHashes) chain = extendChain(chain, eventHash)
  return chain
}
