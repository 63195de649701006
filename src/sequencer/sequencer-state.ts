import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import { logNames } from '../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'
import { type Lsn, parseLsn } from './lsn.ts'

/** The sequencer's row. */
export interface SequencerState {
  readonly position: bigint
  /** Of the outbox, which has positions of its own. */
  readonly outboxPosition: bigint
  /** Every commit of the WAL that ends here or before is in the ledger, or has no events. */
  readonly lsn: Lsn | null
  readonly slotName: string | null
  /** Fingerprint of the publication with which the slot was made. */
  readonly publication: string | null
  readonly generation: bigint
  readonly systemIdentifier: string
  readonly incarnation: number
  readonly mode: 'wal' | 'poll'
  /** What polling wrote: all that it sees is in the ledger, and in mode `poll` nothing else. */
  readonly snapshot: string | null
  /** Mode `poll`: why the leader does not follow the WAL. */
  readonly pollReason: string | null
}

interface Row {
  readonly position: string
  readonly outbox_position: string
  readonly lsn: string | null
  readonly slot_name: string | null
  readonly publication: string | null
  readonly generation: string
  readonly system_identifier: string
  readonly incarnation: number
  readonly mode: 'wal' | 'poll'
  readonly snapshot: string | null
  readonly poll_reason: string | null
}

const columns = `position::text, outbox_position::text, lsn::text, slot_name, publication, generation::text,
  system_identifier::text, incarnation::integer, mode, snapshot::text, poll_reason`

/**
 * Reads the sequencer's row.
 *
 * @throws SCHEMA_NOT_INSTALLED when the migrations have not run.
 */
export async function readSequencer(
  client: pg.ClientBase,
  schema: string,
): Promise<SequencerState> {
  try {
    const { rows } = await client.query<Row>(`select ${columns} from ${schema}.sequencer`)
    return toState(rows[0], schema)
  } catch (error) {
    if (sqlstateOf(error) === sqlstate.undefinedTable) throw notInstalled(schema)
    if (sqlstateOf(error) === sqlstate.insufficientPrivilege) throw mayNotRead(schema, error)
    throw error
  }
}

/**
 * Reads the row of a generation that this leader began.
 *
 * @throws SEQUENCER_SUPERSEDED when another has begun one since.
 */
export async function readGeneration(
  client: pg.ClientBase,
  schema: string,
  generation: bigint,
): Promise<SequencerState> {
  const state = await readSequencer(client, schema)
  if (state.generation === generation) return state
  throw superseded(generation, state.position)
}

/** Says that another worker leads. */
export function superseded(generation: bigint, position: bigint, cause?: unknown): TidemarkError {
  return new TidemarkError(
    'SEQUENCER_SUPERSEDED',
    `another worker leads since generation ${generation}, position ${position}`,
    { details: { generation, position }, cause },
  )
}

/** Begins a generation on the slot that is trusted already. */
export async function takeLead(
  client: pg.ClientBase,
  schema: string,
  generation: bigint,
): Promise<SequencerState> {
  const { rows } = await client.query<Row>(`select ${columns} from ${schema}.take_lead($1)`, [
    generation.toString(),
  ])
  return toState(rows[0], schema)
}

function toState(row: Row | undefined, schema: string): SequencerState {
  if (row === undefined) throw notInstalled(schema)
  return {
    position: BigInt(row.position),
    outboxPosition: BigInt(row.outbox_position),
    lsn: row.lsn === null ? null : parseLsn(row.lsn),
    slotName: row.slot_name,
    publication: row.publication,
    generation: BigInt(row.generation),
    systemIdentifier: row.system_identifier,
    incarnation: row.incarnation,
    mode: row.mode,
    snapshot: row.snapshot,
    pollReason: row.poll_reason,
  }
}

function mayNotRead(schema: string, cause: unknown): TidemarkError {
  const operation = `use the log in schema "${schema}"`
  const { append, read, worker } = logNames(schema).roles
  const remedy = `grant ${append}, ${read} or ${worker} to this user`
  return new TidemarkError('PRIVILEGE_MISSING', `this user may not ${operation}: ${remedy}`, {
    details: { operation, remedy },
    cause,
  })
}

/** Says that a database has no log in this schema. */
export function notInstalled(schema: string): TidemarkError {
  return new TidemarkError(
    'SCHEMA_NOT_INSTALLED',
    `there is no tidemark log in schema "${schema}": run \`tidemark migrate\``,
    { details: { schema } },
  )
}
