import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { LogNames } from '../db/log-names.ts'
import { pause } from '../db/wait.ts'

export interface TrimOptions {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly logger: Logger
  /** How long messages are kept at least. */
  readonly retentionMs: number
  /** How often to look for what is older. */
  readonly intervalMs: number
}

/** Messages in one transaction: measured in bench/outbox-retention.ts. */
const batchSize = 10_000

/**
 * Removes messages that all relays have passed and that are old enough, batch by batch, until aborted. Of
 * several workers one does it at a time; the others find nothing to do.
 */
export async function trimOutbox(options: TrimOptions, signal: AbortSignal): Promise<void> {
  const { pool, names, logger, retentionMs, intervalMs } = options
  await keepTrying(
    async (healthy) => {
      do {
        while ((await trimBatch(pool, names, retentionMs)) > 0 && !signal.aborted) healthy()
        healthy()
      } while (await pause(intervalMs * (0.5 + Math.random()), signal))
    },
    { task: 'outbox retention', signal, logger },
  )
}

/** @returns how many messages were removed. */
export async function trimBatch(
  pool: pg.Pool,
  { schema }: LogNames,
  retentionMs: number,
): Promise<number> {
  const { rows } = await pool.query<{ removed: string }>({
    name: `tidemark-trim-outbox-${schema}`,
    text: `select ${schema}.trim_outbox($1 * interval '1 millisecond', $2)::text as removed`,
    values: [retentionMs, batchSize],
  })
  return Number(rows[0]?.removed)
}
