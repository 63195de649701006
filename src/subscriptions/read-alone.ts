import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { type LogCursor, type LogRun, readExtent, readRun } from './read-run.ts'

/**
 * Events that stay in the server cost no memory here, and a statement over many of them costs little more
 * than one over few: chunks are so many times as long.
 */
const inServerFactor = 20

export interface ReadAloneOptions {
  /** Event types to fetch; null to leave the events in the server. */
  readonly types: readonly string[] | null
  /** Positions of a run whose events are fetched. */
  readonly batchSize: number
  /** Position beyond which not to read; null for none. */
  readonly end: bigint | null
}

/** Reads the next run for one subscriber, with the filter of its own types. */
export function readAlone(
  pool: pg.Pool,
  names: LogNames,
  after: LogCursor,
  { types, batchSize, end }: ReadAloneOptions,
): Promise<LogRun> {
  const wanted = types === null ? batchSize * inServerFactor : batchSize
  const left = end === null ? wanted : Number(end - after.position)
  const maxEvents = Math.min(wanted, left)
  return types === null
    ? readExtent(pool, names, { after, maxEvents })
    : readRun(pool, names, { after, maxEvents, types })
}
