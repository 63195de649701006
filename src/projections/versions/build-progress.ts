import type { BuildStatus } from './build-status.ts'

/** How far a rebuild has come. */
export interface RebuildProgress {
  readonly position: bigint
  /** Where the log reaches now; it goes on growing. */
  readonly head: bigint
  /** In the last seconds. */
  readonly eventsPerSecond: number
  /** Null until it can be estimated. */
  readonly remainingMs: number | null
  /** Whether indexes are being made: the last step, of which nobody knows how long it takes. */
  readonly isIndexing: boolean
}

/** Says how far a version is built, and how long it will take. */
export function progressOf(status: BuildStatus, eventsPerSecond: number): RebuildProgress {
  const { passed: position, head, isIndexing } = status
  const left = Number(head - position)
  const remainingMs = isIndexing ? null : timeFor(left, eventsPerSecond)
  return { position, head, eventsPerSecond, remainingMs, isIndexing }
}

function timeFor(left: number, eventsPerSecond: number): number | null {
  if (eventsPerSecond === 0) return null
  return (Math.max(0, left) / eventsPerSecond) * 1_000
}
