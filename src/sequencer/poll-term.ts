import { pause } from '../db/wait.ts'
import { currentIncarnation, type IncarnationContext } from './incarnation.ts'
import { readSequencer, takeLead } from './sequencer-state.ts'

export interface PollContext extends IncarnationContext {
  /** When to stop, to try the WAL again, as `performance.now` counts; undefined: never. */
  readonly until?: number
  readonly signal: AbortSignal
  /** Called when the first window is written. */
  readonly onStart: () => void
}

/** Pauses between two looks: after one that found something, and at most when nothing is appended. */
const pauseMs = { first: 20, longest: 250 }
const growth = 1.3

/**
 * Writes the ledger without logical replication, by looking what one snapshot sees and the one before
 * it did not. As exact, and as indifferent to long transactions; later by the pause between two looks.
 */
export async function pollTerm(context: PollContext): Promise<void> {
  const { client, names, until = Number.POSITIVE_INFINITY, signal, onStart } = context
  const generation = await beginPolling(context)
  onStart()
  let restMs = pauseMs.first
  while (!signal.aborted && performance.now() < until) {
    const { rows } = await client.query<{ sequenced: number }>({
      name: 'tidemark-sequence-window',
      text: `select sequenced from ${names.schema}.sequence_window($1, pg_current_snapshot(), $2)`,
      values: [generation.toString(), names.channel],
    })
    const hasFound = rows[0]?.sequenced !== 0
    restMs = hasFound ? pauseMs.first : Math.min(pauseMs.longest, restMs * growth)
    await pause(restMs, signal)
  }
}

/** Goes on behind the last snapshot, or, coming from the WAL, catches up with the table. */
async function beginPolling(context: PollContext): Promise<bigint> {
  const { client, names, logger } = context
  const state = await currentIncarnation(context)
  if (state.mode === 'poll' && state.snapshot !== null) {
    const taken = await takeLead(client, names.schema, state.generation)
    return taken.generation
  }
  const { rows } = await client.query<{ sequenced: number }>(
    /* sql */ `
    select sequenced
    from ${names.schema}.sequence_from_table($1, null, pg_current_snapshot(), null, $2)`,
    [state.generation.toString(), names.channel],
  )
  logger.info({ commits: rows[0]?.sequenced }, 'continued the ledger from the table, to poll')
  const begun = await readSequencer(client, names.schema)
  return begun.generation
}
