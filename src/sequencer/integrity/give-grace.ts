import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { pause } from '../../db/wait.ts'
import { ask } from './ask.ts'
import { hasUncovered } from './read-uncovered.ts'

/** Time that a sequencer has for an event before its absence from the ledger is a finding. */
export const defaultGraceMs = 5_000

/** A snapshot, as text, and when it was taken. */
export interface TakenSnapshot {
  readonly snapshot: string
  readonly takenAt: number
}

/** Takes a snapshot: what it sees is committed by now. */
export async function takeSnapshot(pool: pg.Pool): Promise<TakenSnapshot> {
  return ask(pool, async (client) => {
    const { rows } = await client.query<{ snapshot: string }>(
      'select pg_current_snapshot()::text as snapshot',
    )
    const [{ snapshot }] = rows as [{ snapshot: string }]
    return { snapshot, takenAt: performance.now() }
  })
}

/**
 * Gives the sequencer time for events that a snapshot sees and the ledger lacks, if there are any.
 * How long ago a row was *written* says nothing about when it must have a position, because its
 * transaction may have been long; that it was visible some seconds ago does.
 */
export async function giveGrace(
  pool: pg.Pool,
  names: LogNames,
  { snapshot, takenAt }: TakenSnapshot,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const leftMs = takenAt + graceMs - performance.now()
  if (leftMs <= 0) return
  if (await ask(pool, (client) => hasUncovered(client, names, snapshot)))
    await pause(leftMs, signal)
}
