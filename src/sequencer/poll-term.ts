import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import { pause } from '../db/wait.ts'
import { readGeneration, type SequencerState, takeLead } from './sequencer-state.ts'

export interface PollContext {
  readonly client: pg.ClientBase
  readonly names: LogNames
  readonly logger: Logger
  /** The row as this leader found it. */
  readonly state: SequencerState
  /** Why the WAL is not followed. */
  readonly reason: string
  readonly signal: AbortSignal
  /** Called once the ledger has caught up with the table. */
  readonly onStart: () => void
}

/** Pauses between two looks: after one that found something, and at most when nothing is appended. */
const pauseMs = { first: 20, longest: 250 }
const growth = 1.3

/**
 * Writes the ledger without logical replication until aborted, by looking what one snapshot sees and the
 * one before it did not. As exact, and as indifferent to long transactions; later by the pause between
 * two looks.
 *
 * @returns the row of the generation that polled, which may be behind by now.
 */
export async function pollTerm(context: PollContext): Promise<SequencerState> {
  const { client, names, reason, signal, onStart } = context
  const begun = await beginPolling(context)
  await explainPolling(client, names, reason)
  onStart()
  let restMs = pauseMs.first
  while (!signal.aborted) {
    const { rows } = await client.query<{ sequenced: number }>({
      name: 'tidemark-sequence-window',
      text: `select sequenced from ${names.schema}.sequence_window($1, pg_current_snapshot(), $2)`,
      values: [begun.generation.toString(), names.channel],
    })
    const hasFound = rows[0]?.sequenced !== 0
    restMs = hasFound ? pauseMs.first : Math.min(pauseMs.longest, restMs * growth)
    await pause(restMs, signal)
  }
  return begun
}

/** Notes why the WAL is not followed, for those who look at the status. */
export async function explainPolling(
  client: pg.ClientBase,
  names: LogNames,
  reason: string,
): Promise<void> {
  await client.query(`select ${names.schema}.explain_polling($1)`, [reason])
}

/** The reason of who polls because it was told to. */
export const pollsAsSet = 'its mode is set to poll'

/** Goes on behind the last snapshot, or, coming from the WAL, catches up with the table. */
async function beginPolling(context: PollContext): Promise<SequencerState> {
  const { client, names, logger, state } = context
  if (state.mode === 'poll' && state.snapshot !== null) {
    return takeLead(client, names.schema, state.generation)
  }
  const { rows } = await client.query<{ sequenced: number }>(
    /* sql */ `
    select sequenced
    from ${names.schema}.sequence_from_table($1, null, pg_current_snapshot(), null, $2)`,
    [state.generation.toString(), names.channel],
  )
  logger.info({ commits: rows[0]?.sequenced }, 'continued the ledger from the table, to poll')
  return readGeneration(client, names.schema, state.generation + 1n)
}
