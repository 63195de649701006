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

/**
 * Tells whether the log is where it was written. Where it was restored, or copied row by row, it is not,
 * also within one cluster or between two of one system identifier, such as a server and its clone.
 */
export async function isAtHome(client: pg.ClientBase, { schema }: LogNames): Promise<boolean> {
  const { rows } = await client.query<{ home: boolean }>(
    `select exists (select from ${schema}.at_home) as home`,
  )
  return rows[0]?.home === true
}

/**
 * Reads the sequencer's row, having begun a new incarnation if the log is in another cluster now.
 *
 * @throws the server's TM007 when another process was first.
 */
export async function currentIncarnation(context: IncarnationContext): Promise<SequencerState> {
  const { client, names, facts, logger } = context
  const state = await readSequencer(client, names.schema)
  const isSameCluster = state.systemIdentifier === facts.systemIdentifier
  if (isSameCluster && (await isAtHome(client, names))) return state
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
