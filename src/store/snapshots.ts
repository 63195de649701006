import { isDeepStrictEqual } from 'node:util'
import type { AnyDecider } from '../core/decider.ts'
import { decodeState, encodeState } from '../core/encode-state.ts'
import type { Logger } from '../core/logger.ts'
import type { Token } from '../core/token.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { tokenOf } from './append-outcome.ts'
import { definitionHash } from './definition-hash.ts'

/** A state with the event after which it was taken. */
export interface Snapshot {
  readonly state: unknown
  readonly version: bigint
  readonly eventId: string
  /** Names the transaction of that event. */
  readonly token: Token
}

interface Row {
  readonly version: string
  readonly event_id: string
  readonly state: string
  readonly incarnation: number
  readonly transaction_id: string
}

/**
 * Reads the state of a stream that was kept by this code, if the stream still has the event after
 * which it was taken, and that is not after `upTo`. A log that was restored to an earlier time, or
 * has grown anew since, is never answered with the state of another.
 */
export async function readSnapshot(
  connection: Connection,
  names: LogNames,
  decider: AnyDecider,
  streamId: string,
  upTo: bigint,
): Promise<Snapshot | null> {
  const rows = await run<Row>(connection, {
    name: `tidemark-read-snapshot-${names.schema}`,
    text: /* sql */ `
      select s.version::text, s.event_id::text, s.state::text, e.incarnation::integer,
        e.transaction_id::text
      from ${names.schema}.snapshots as s
      join ${names.schema}.events as e using (stream_id, version, event_id)
      where s.stream_id = $1
        and s.decider = $2
        and s.definition_hash = $3
        and s.version <= $4`,
    values: [streamId, decider.name, definitionHash(decider), upTo.toString()],
  })
  const [row] = rows
  return row === undefined ? null : toSnapshot(decider, row)
}

function toSnapshot(decider: AnyDecider, row: Row): Snapshot | null {
  const token = tokenOf(row.incarnation, row.transaction_id)
  try {
    const state = decodeState(decider, row.state)
    return { state, version: BigInt(row.version), eventId: row.event_id, token }
  } catch {
    return null // The events still tell what the state is.
  }
}

/** What {@link saveSnapshot} keeps. */
export interface DueSnapshot {
  readonly version: bigint
  readonly eventId: string
  /** The state as JSON text. */
  readonly text: string
}

const warned = new WeakSet<AnyDecider>()

/**
 * Writes a state for keeping. Null when JSON does not hold it: then the process is warned, once per
 * decider, with the code `TIDEMARK_STATE_LOSSY`, and loads go on reading events.
 */
export function encodeSnapshot(
  decider: AnyDecider,
  loaded: { readonly state: unknown; readonly version: bigint; readonly eventId: string },
): DueSnapshot | null {
  const { state, version, eventId } = loaded
  const text = encodeLosslessly(decider, state)
  if (text !== null) return { version, eventId, text }
  if (warned.has(decider)) return null
  warned.add(decider)
  const message =
    `decider "${decider.name}" takes no snapshots: a state is another after JSON. Use values that ` +
    'JSON holds (no undefined, Date or Map), or give snapshot.encode and snapshot.decode'
  process.emitWarning(message, { type: 'TidemarkWarning', code: 'TIDEMARK_STATE_LOSSY' })
  return null
}

function encodeLosslessly(decider: AnyDecider, state: unknown): string | null {
  try {
    const text = encodeState(decider, state)
    return isDeepStrictEqual(decodeState(decider, text), state) ? text : null
  } catch {
    return null // JSON has no big integers and no cycles; or the decider's own encode threw.
  }
}

/**
 * Keeps a state, in a transaction of its own. Never throws: a snapshot that could not be written is
 * reported to the logger, and the next command tries again.
 */
export async function saveSnapshot(
  connection: Connection,
  names: LogNames,
  logger: Logger,
  target: { readonly decider: AnyDecider; readonly streamId: string },
  { version, eventId, text }: DueSnapshot,
): Promise<void> {
  const { decider, streamId } = target
  const hash = definitionHash(decider)
  try {
    await run(connection, {
      name: `tidemark-save-snapshot-${names.schema}`,
      text: /* sql */ `select ${names.schema}.save_snapshot($1, $2, $3, $4, $5, $6)`,
      values: [streamId, decider.name, hash, version.toString(), eventId, text],
    })
  } catch (error) {
    logger.warn({ err: error, streamId, decider: decider.name }, 'a snapshot was not kept')
  }
}
