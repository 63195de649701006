import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import type { ServerFacts } from '../db/preflight.ts'
import { readSequencer, type SequencerState } from './sequencer-state.ts'

export interface IncarnationContext {
  readonly client: pg.ClientBase
  readonly names: LogNames
  readonly facts: ServerFacts
  readonly logger: Logger
}

/** Reads the sequencer's row, having begun a new incarnation if the log is in another cluster now. */
export async function currentIncarnation(context: IncarnationContext): Promise<SequencerState> {
  const { client, names, facts, logger } = context
  const state = await readSequencer(client, names.schema)
  if (state.systemIdentifier === facts.systemIdentifier) return state
  logger.warn(
    { schema: names.schema },
    'the log is in another cluster now: a new incarnation begins',
  )
  await client.query(`select ${names.schema}.begin_incarnation($1, $2)`, [
    state.generation.toString(),
    facts.systemIdentifier,
  ])
  return readSequencer(client, names.schema)
}
