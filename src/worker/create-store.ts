import type pg from 'pg'
import type { AnyEventDefinition, NewEvent } from '../core/event.ts'
import { eventRegistry } from '../core/event-registry.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import type { RecordedEvent } from '../core/recorded-event.ts'
import type { Token } from '../core/token.ts'
import { connectionFailed, createPool } from '../db/connect.ts'
import { logNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscription } from '../jobs/reactor-subscriber.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { type ProjectionQuery, queryProjection } from '../projections/query.ts'
import { type RebuildOptions, type RebuildResult, rebuild } from '../projections/rebuild.ts'
import {
  dropVersion,
  type PromoteOptions,
  promote,
  rollback,
  type SwitchOptions,
  type SwitchResult,
} from '../projections/switch-version.ts'
import { dropSlots } from '../sequencer/drop-slots.ts'
import { readSequencer } from '../sequencer/sequencer-state.ts'
import {
  type AppendResult,
  appendToStream,
  appendToStreams,
  type Expectation,
  type StreamAppend,
} from '../store/append.ts'
import { type ReadStreamOptions, readStream, readStreamVersion } from '../store/read-stream.ts'
import { type WaitOptions, waitForToken } from '../subscriptions/wait-for.ts'
import { type LogStatus, readStatus } from './status.ts'

export interface StoreOptions {
  readonly connectionString: string
  /** Event types that the store reads and writes. */
  readonly events?: readonly AnyEventDefinition[]
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  /** Connections at most. Default 10. */
  readonly maxConnections?: number
  readonly logger?: Logger
}

export interface AppendOptions {
  /** What the writer expects of the stream. Default `'any'`. */
  readonly expect?: Expectation
  /** A `pg` client or a Kysely transaction to join. Default: a transaction of its own. */
  readonly tx?: Connection
}

export interface QueryOptions extends WaitOptions {
  /** Waits until the projection has applied this token's commit. */
  readonly after?: Token | string
  /** Which tables: those of the live version (default), or of the version that is defined. */
  readonly from?: 'live' | 'defined'
}

/** One log: appends, reads, queries of projections and their versions. */
export interface Store extends AsyncDisposable {
  /**
   * Appends events to one stream, atomically.
   *
   * @throws STREAM_VERSION_CONFLICT with the actual version, APPEND_INVALID, STREAM_ID_INVALID
   */
  append(
    streamId: string,
    events: NewEvent | readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<AppendResult>

  /** Appends events to several streams, all or none. Throws as {@link Store.append}. */
  appendMany(
    appends: readonly StreamAppend[],
    options?: Pick<AppendOptions, 'tx'>,
  ): Promise<readonly AppendResult[]>

  /** Reads a page of one stream, ascending by version. */
  readStream(streamId: string, options?: ReadStreamOptions): Promise<readonly RecordedEvent[]>

  /** Reads how long a stream is: the version of its last event, 0 when it is empty. */
  streamVersion(streamId: string): Promise<bigint>

  /**
   * Gives a read-only Kysely over a projection, typed by its definition.
   *
   * @throws WAIT_TIMED_OUT and what else {@link Store.waitFor} throws, when `after` is given.
   */
  query<P extends AnyProjection>(projection: P, options?: QueryOptions): Promise<ProjectionQuery<P>>

  /**
   * Waits until a commit is sequenced and, if given, until a projection or reactor has applied it.
   * Works from any process.
   *
   * @returns the position of the commit's last event.
   * @throws WAIT_TIMED_OUT, TRANSACTION_NOT_COMMITTED, SUBSCRIPTION_FAILED, SUBSCRIPTION_UNKNOWN
   */
  waitFor(
    token: Token | string,
    target?: AnyProjection | Reactor,
    options?: WaitOptions,
  ): Promise<bigint>

  /** Builds the version that a definition describes beside the live one. See `rebuild`. */
  rebuild(projection: AnyProjection, options?: RebuildOptions): Promise<RebuildResult>
  /** Shows a version that is ready. See `promote`. */
  promote(projection: string, options?: PromoteOptions): Promise<SwitchResult>
  /** Shows the version before again. See `rollback`. */
  rollback(projection: string, options?: SwitchOptions): Promise<SwitchResult>
  /** Removes a version that is not live. See `dropVersion`. */
  drop(projection: string, version: number, options?: { readonly live?: boolean }): Promise<void>

  status(): Promise<LogStatus>

  /**
   * Drops the log's replication slots, for when no worker is to run for a while: the server keeps
   * WAL for a slot that nobody reads. The next worker continues exactly.
   */
  dropSlots(): Promise<readonly string[]>

  /** Ends the connections. */
  close(): Promise<void>
}

/**
 * Opens a log.
 *
 * @throws CONNECTION_FAILED, SCHEMA_NOT_INSTALLED
 */
export async function createStore(options: StoreOptions): Promise<Store> {
  const { connectionString, logger = silentLogger } = options
  const names = logNames(options.schema)
  const registry = eventRegistry(options.events ?? [])
  const pool = createPool({
    connectionString,
    applicationName: 'tidemark store',
    ...(options.maxConnections === undefined ? {} : { max: options.maxConnections }),
  })
  await requireLog(pool, names.schema, connectionString)

  const store: Store = {
    append: (streamId, events, { expect = 'any', tx = pool } = {}) =>
      appendToStream(tx, names, { streamId, events: [events].flat(), expect }),
    appendMany: (appends, { tx = pool } = {}) => appendToStreams(tx, names, appends),
    readStream: (streamId, read) => readStream(pool, names, registry, streamId, read),
    streamVersion: (streamId) => readStreamVersion(pool, names, streamId),
    query: async (projection, { after, from = 'live', ...wait } = {}) => {
      if (after !== undefined)
        await waitForToken(pool, names, after, toTarget(projection, from), wait)
      return queryProjection(pool, projection, from) as never
    },
    waitFor: (token, target, wait) =>
      waitForToken(pool, names, token, target && toTarget(target, 'live'), wait),
    rebuild: (projection, build) =>
      rebuild({ pool, connectionString, names, logger }, projection, build),
    promote: (projection, promotion) => promote(pool, names, projection, promotion),
    rollback: (projection, change) => rollback(pool, names, projection, change),
    drop: (projection, version, removal) => dropVersion(pool, names, projection, version, removal),
    status: () => readStatus(pool, names),
    dropSlots: async () => {
      const client = await pool.connect()
      return dropSlots(client, names).finally(() => client.release())
    },
    close: () => pool.end(),
    [Symbol.asyncDispose]: () => pool.end(),
  }
  return store
}

function toTarget(target: AnyProjection | Reactor, from: 'live' | 'defined') {
  if ('on' in target) return reactorSubscription(target)
  const { name, version } = target
  return { kind: 'projection' as const, name, ...(from === 'defined' ? { version } : {}) }
}

async function requireLog(pool: pg.Pool, schema: string, connectionString: string): Promise<void> {
  try {
    const client = await pool.connect().catch((error: unknown) => {
      throw connectionFailed(connectionString, error)
    })
    await readSequencer(client, schema).finally(() => client.release())
  } catch (error) {
    await pool.end()
    throw error
  }
}
