import type pg from 'pg'
import type { Logger } from '../../core/logger.ts'
import { keepTrying } from '../../db/keep-trying.ts'
import type { LogNames } from '../../db/log-names.ts'
import { pause } from '../../db/wait.ts'
import { sealRun } from './seal-run.ts'

export interface SealerOptions {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly logger: Logger
  /**
   * Pause between two looks for events to seal. Default 10,000: of a log that gets an event now and
   * then, each event would be a seal of its own, and a seal is about as large as an event.
   */
  readonly intervalMs?: number
  /** Events in one run. Default 5,000. */
  readonly maxEvents?: number
  /** How far the log is known to reach: what is sealed that far needs no look. Default: not known. */
  readonly head?: { readonly position: bigint }
}

const defaults = { intervalMs: 10_000, maxEvents: 5_000 }

/** A log that is damaged stays so: to say it once a minute is enough. */
const longestRetryMs = 60_000

/**
 * Seals what is sequenced, behind the head, until aborted. Every worker runs it; of several, one
 * seals at a time, and the others find nothing left to do. While there is a backlog it rests as long
 * as each run took, so that it never takes more than half of one connection's time from appends.
 */
export async function runSealer(options: SealerOptions, signal: AbortSignal): Promise<void> {
  const { pool, names, logger } = options
  const { intervalMs, maxEvents, head } = { ...defaults, ...options }
  let sealed = -1n
  await keepTrying(
    async (healthy) => {
      while (!signal.aborted) {
        const began = performance.now()
        const isSealed = head !== undefined && head.position <= sealed
        const run = isSealed ? undefined : await sealRun(pool, names, maxEvents)
        sealed = run?.position ?? sealed
        healthy()
        const tookMs = performance.now() - began
        // Jittered, so that workers which began together do not look together.
        const restMs = intervalMs * (0.5 + Math.random())
        await pause(run?.sealed === maxEvents ? tookMs : restMs, signal)
      }
    },
    { task: 'sealing', signal, logger, maxDelayMs: longestRetryMs },
  )
}
