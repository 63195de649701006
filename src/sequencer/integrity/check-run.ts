import type { HashedEvent } from './read-hashes.ts'
import type { Seal } from './read-seals.ts'
import { chainOf, digestLength } from './seal-chain.ts'

/** What holding a run of events against its seal came to. */
export interface RunCheck {
  /**
   * - `sound`: the events are those that were sealed.
   * - `digests-differ`: the events are those that were sealed; the seal's digests are not.
   * - `hash-differs`: each position has one event, but they are not what was sealed.
   * - `positions-differ`: some position has no event, or more than one.
   */
  readonly outcome: 'sound' | 'digests-differ' | 'hash-differs' | 'positions-differ'
  /** Events whose hash is not the one that the seal has for their position. */
  readonly differing: readonly HashedEvent[]
}

/**
 * Holds the events of a run against its seal. The chain decides whether they are what was sealed;
 * the digests, which are cut short, only tell which of them is not.
 *
 * @param events in the order of the ledger, with whatever it places in the run.
 */
export function checkRun(seal: Seal, events: readonly HashedEvent[]): RunCheck {
  const first = seal.position - BigInt(seal.eventCount) + 1n
  const differing = events.filter((event) => !hasDigest(seal, first, event))
  const isDense =
    events.length === seal.eventCount &&
    events.every((event, index) => event.position === first + BigInt(index))
  if (!isDense) return { outcome: 'positions-differ', differing }
  const chain = chainOf(
    seal.previousHash ?? new Uint8Array(),
    events.map((event) => event.hash),
  )
  if (!seal.hash.equals(chain)) return { outcome: 'hash-differs', differing }
  return { outcome: differing.length === 0 ? 'sound' : 'digests-differ', differing }
}

function hasDigest(seal: Seal, first: bigint, event: HashedEvent): boolean {
  const start = Number(event.position - first) * digestLength
  const digest = seal.digests.subarray(Math.max(start, 0), start + digestLength)
  return digest.equals(event.hash.subarray(0, digestLength))
}
