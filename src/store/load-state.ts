import { evolve } from '../core/decide.ts'
import { type AnyDecider, type StateOf, streamIdOf } from '../core/decider.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { Token } from '../core/token.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { tokenOf } from './append-outcome.ts'
import { refuseAborted } from './refuse-aborted.ts'
import { readSnapshot } from './snapshots.ts'
import { type StoredRow, toRecordedEvent } from './stored-row.ts'
import { type Moment, versionAt } from './version-at.ts'

interface LoadOptionsBase {
  /** A `pg` client or a Kysely transaction whose own events are to be seen. */
  readonly tx?: Connection
  /** Ends a long load between two pages. */
  readonly signal?: AbortSignal
}

/** Up to where to load: at most one of `version`, `position` and `at`; by default the whole stream. */
export type LoadOptions = LoadOptionsBase & Moment

/** A state and the version of the stream that it belongs to: 0 for the initial state. */
export interface LoadedState<State> {
  readonly state: State
  readonly version: bigint
}

/** A loaded state with what is known of the stream's last event. */
export interface LoadedStream extends LoadedState<unknown> {
  /** Id of the last event; null when there is none. */
  readonly eventId: string | null
  /** Names the transaction of the last event; null when there is none. */
  readonly token: Token | null
  /** Version of the snapshot from which the load began; 0 when it began from the start. */
  readonly fromVersion: bigint
}

export interface LoadContext {
  readonly connection: Connection
  readonly names: LogNames
}

/**
 * Loads the state of a decider, or what it was at some moment.
 *
 * @throws EVENT_TYPE_UNKNOWN when the stream holds an event that the decider does not know,
 *   EVENT_SCHEMA_VERSION_UNKNOWN; STREAM_ID_INVALID, OPTION_INVALID, OPERATION_CANCELLED
 */
export async function loadState<D extends AnyDecider>(
  context: LoadContext,
  decider: D,
  id: string,
  options: LoadOptions = {},
): Promise<LoadedState<StateOf<D>>> {
  const { state, version } = await loadStream(context, decider, streamIdOf(decider, id), options)
  return { state: state as StateOf<D>, version }
}

/** As {@link loadState}, for a stream's id. */
export async function loadStream(
  { connection: own, names }: LoadContext,
  decider: AnyDecider,
  streamId: string,
  options: LoadOptions = {},
): Promise<LoadedStream> {
  const { tx: connection = own, signal } = options
  refuseAborted(signal, `load "${streamId}"`)
  const upTo = await versionAt(connection, names, streamId, options)
  let loaded = await begin(connection, names, decider, streamId, upTo)
  for (;;) {
    const rows = await readPage(connection, names, streamId, loaded.version, upTo)
    loaded = apply(decider, loaded, rows)
    if (rows.length < pageSize) return loaded
    refuseAborted(signal, `load "${streamId}"`)
  }
}

async function begin(
  connection: Connection,
  names: LogNames,
  decider: AnyDecider,
  streamId: string,
  upTo: bigint,
): Promise<LoadedStream> {
  const snapshot =
    decider.snapshot === null
      ? null
      : await readSnapshot(connection, names, decider, streamId, upTo)
  if (snapshot !== null) return { ...snapshot, fromVersion: snapshot.version }
  return { state: decider.initial(), version: 0n, eventId: null, token: null, fromVersion: 0n }
}

interface Row extends StoredRow {
  readonly incarnation: number
  readonly transaction_id: string
}

/** Events of a long stream that are in memory at once. */
const pageSize = 2_000

function readPage(
  connection: Connection,
  names: LogNames,
  streamId: string,
  after: bigint,
  upTo: bigint,
): Promise<readonly Row[]> {
  return run<Row>(connection, {
    name: `tidemark-load-stream-${names.schema}`,
    text: /* sql */ `
      select null::text as position, e.stream_id, e.version::text, e.event_id, e.type,
        e.schema_version::integer, e.data, e.metadata, e.tags, e.recorded_at,
        e.incarnation::integer, e.transaction_id::text
      from ${names.schema}.events as e
      where e.stream_id = $1
        and e.version > $2
        and e.version <= $3
      order by e.version
      limit $4`,
    values: [streamId, after.toString(), upTo.toString(), pageSize],
  })
}

function apply(decider: AnyDecider, before: LoadedStream, rows: readonly Row[]): LoadedStream {
  const last = rows.at(-1)
  if (last === undefined) return before
  const events = rows.map((row): RecordedEvent => decider.registry.upcast(toRecordedEvent(row)))
  return {
    state: evolve(decider, before.state, events),
    version: BigInt(last.version),
    eventId: last.event_id,
    token: tokenOf(last.incarnation, last.transaction_id),
    fromVersion: before.fromVersion,
  }
}
