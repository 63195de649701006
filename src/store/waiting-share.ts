import type pg from 'pg'
import type { GroupCommitOptions } from './group-commit.ts'

/** Less than half of the connections wait for other writers, so that there are some for the rest. */
export function waitingShare({ options }: pg.Pool): GroupCommitOptions {
  return { maxWaiting: Math.max(1, Math.floor((options.max ?? 10) / 2) - 1) }
}
