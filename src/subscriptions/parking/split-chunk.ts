import type { SequencedEvent } from '../../core/recorded-event.ts'

/** A run of the log with its events, as they were stored. */
export interface FetchedChunk {
  readonly after: bigint
  readonly upto: bigint
  readonly events: readonly SequencedEvent[]
}

/**
 * Takes a chunk apart to find the event that fails: into what stands before a suspect, the suspect, and
 * what stands behind it; without one into halves. A part may begin and end amid a commit.
 */
export function splitChunk(chunk: FetchedChunk, suspect: bigint | null): readonly FetchedChunk[] {
  if (chunk.events.length <= 1) return [chunk]
  const isThere = chunk.events.some(({ position }) => position === suspect)
  if (suspect !== null && isThere) return cut(chunk, [suspect - 1n, suspect])
  const middle = chunk.events[Math.floor(chunk.events.length / 2) - 1]
  return cut(chunk, middle === undefined ? [] : [middle.position])
}

/** @param ends where a part ends, ascending. */
function cut(chunk: FetchedChunk, ends: readonly bigint[]): readonly FetchedChunk[] {
  const bounds = [chunk.after, ...ends, chunk.upto]
  return bounds.slice(1).flatMap((upto, i) => {
    const after = bounds[i] ?? chunk.after
    if (after === upto) return []
    const events = chunk.events.filter(({ position }) => position > after && position <= upto)
    return [{ after, upto, events }]
  })
}
