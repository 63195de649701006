import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { pause } from '../../db/wait.ts'
import { sealRun } from './seal-run.ts'

export interface SealOptions {
  /** Events in one run. Default 5,000; 10,000 at most. */
  readonly maxEvents?: number
  /** Stops after the run at hand. */
  readonly signal?: AbortSignal
}

export interface SealResult {
  /** Everything up to here is sealed. */
  readonly position: bigint
  /** Events that were sealed now. */
  readonly sealed: bigint
}

const defaults = { maxEvents: 5_000 }

/** A run takes some tens of milliseconds. */
const busyPauseMs = 20

/**
 * Seals everything that is sequenced, at once: for a log whose workers run with `seal: false`, or
 * before a checkpoint is signed. Workers may seal meanwhile.
 *
 * @throws LOG_INCONSISTENT when table and ledger disagree, OPERATION_CANCELLED
 */
export async function sealAll(
  pool: pg.Pool,
  names: LogNames,
  options: SealOptions = {},
): Promise<SealResult> {
  const { maxEvents = defaults.maxEvents, signal = new AbortController().signal } = options
  let sealed = 0n
  for (;;) {
    if (signal.aborted) throw cancelled(sealed)
    const run = await sealRun(pool, names, maxEvents)
    if (run?.sealed === 0) return { position: run.position, sealed }
    if (run === undefined) await pause(busyPauseMs, signal)
    else sealed += BigInt(run.sealed)
  }
}

function cancelled(sealed: bigint): TidemarkError {
  return new TidemarkError(
    'OPERATION_CANCELLED',
    `sealing was stopped after ${sealed} events: run it again to go on from there`,
    { details: { operation: 'seal' } },
  )
}
