import type pg from 'pg'
import type { AnyEventDefinition } from '../core/event.ts'
import { eventRegistry } from '../core/event-registry.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import { processEvents } from '../core/processes/process-events.ts'
import type { Token } from '../core/token.ts'
import { createPool } from '../db/connect.ts'
import { type LogNames, logNames } from '../db/log-names.ts'
import { type ProcessStore, processStore } from '../jobs/processes/process-store.ts'
import { defaultJobSchema } from '../jobs/run-jobs.ts'
import { type OutboxStore, outboxStore } from '../outbox/outbox-store.ts'
import {
  type DiffOptions,
  type DiffResult,
  diffVersions,
} from '../projections/diff/diff-versions.ts'
import { InlineProjections } from '../projections/inline/inline-projections.ts'
import {
  type ProjectionMode,
  type SetModeOptions,
  type SetModeResult,
  setMode,
} from '../projections/inline/set-mode.ts'
import type { AnyProjection } from '../projections/projection.ts'
import {
  type RebuildOptions,
  type RebuildResult,
  rebuild,
} from '../projections/versions/rebuild.ts'
import {
  type RepartitionOptions,
  type RepartitionResult,
  repartition,
} from '../projections/versions/repartition-version.ts'
import { type ReplayOptions, replay } from '../projections/versions/replay.ts'
import {
  dropVersion,
  type PromoteOptions,
  promote,
  rollback,
  type SwitchOptions,
  type SwitchResult,
} from '../projections/versions/switch-version.ts'
import { dropSlots } from '../sequencer/drop-slots.ts'
import { exportCheckpoint } from '../sequencer/integrity/export-checkpoint.ts'
import { type SealOptions, type SealResult, sealAll } from '../sequencer/integrity/seal-all.ts'
import type { Key, SignedCheckpoint } from '../sequencer/integrity/signed-checkpoint.ts'
import {
  type VerifyOptions,
  type VerifyResult,
  verifyLog,
} from '../sequencer/integrity/verify-log.ts'
import { type CaptureStore, captureStore } from '../store/capture/capture-store.ts'
import { type DeciderStore, deciderStore } from '../store/decider-store.ts'
import { type EventStore, eventStore } from '../store/event-store.ts'
import type { GroupCommitOptions } from '../store/group-commit.ts'
import {
  type ImportOptions,
  type ImportResult,
  importEvents,
} from '../store/import/import-events.ts'
import type { ImportedEvent } from '../store/import/imported-event.ts'
import { type OnceResult, once } from '../store/once.ts'
import { waitingShare } from '../store/waiting-share.ts'
import { warnOfLossyEvents } from '../store/warn-of-lossy-events.ts'
import { type WaitOptions, waitForToken } from '../subscriptions/wait-for.ts'
import { type AuditOptions, type AuditResult, audit } from './audit.ts'
import { type Diagnosis, type DoctorOptions, diagnose } from './doctor/diagnose.ts'
import { type DroppableKind, dropSubscription } from './drop-subscription.ts'
import { type ParkedStore, parkedStore } from './parked.ts'
import { type Pressure, type PressureOptions, readPressure } from './pressure.ts'
import { type QueryStore, queryStore } from './query-store.ts'
import { requireLog } from './require-log.ts'
import { type ShedStore, shedStore } from './shed.ts'
import { type LogStatus, readStatus } from './status.ts'
import { toTarget, type WaitTarget } from './wait-target.ts'

export interface StoreOptions<D extends AnyEventDefinition = AnyEventDefinition> {
  readonly connectionString: string
  /** Event types that the store reads and writes. */
  readonly events?: readonly D[]
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  /** Connections at most. Default 10. */
  readonly maxConnections?: number
  /** Most bytes of one event's data and metadata together, as JSON. Default 1 MiB. */
  readonly maxEventBytes?: number | undefined
  /**
   * How appends that come at once share transactions. Default: up to 10,000 calls are queued, and
   * more wait for room. False: each append is a transaction of its own.
   */
  readonly groupCommit?: GroupCommitOptions | false | undefined
  /**
   * Projections that this store can apply inline, in the transactions of its appends; of each, all versions
   * that may be live. It applies those that are made inline: see {@link Store.setMode}.
   */
  readonly inline?: readonly AnyProjection[]
  /** Schema of graphile-worker, for what is said of jobs. Default `graphile_worker`; false: there are none. */
  readonly jobSchema?: string | false
  readonly logger?: Logger
}

/** One log: its events, queries of projections and their versions. */
export interface Store<D extends AnyEventDefinition = AnyEventDefinition>
  extends EventStore<D>,
    DeciderStore,
    OutboxStore,
    QueryStore,
    AsyncDisposable {
  /**
   * Waits until a commit is sequenced and, if given, until a projection, reactor, process or route has applied
   * it.
   * Works from any process. Goes by position: what a projection has parked is not waited for, see
   * {@link Store.parked}.
   *
   * @returns the position of the commit's last event.
   * @throws WAIT_TIMED_OUT, TRANSACTION_NOT_COMMITTED, SUBSCRIPTION_FAILED, SUBSCRIPTION_UNKNOWN
   */
  waitFor(token: Token | string, target?: WaitTarget, options?: WaitOptions): Promise<bigint>

  /** Builds the version that a definition describes beside the live one. See `rebuild`. */
  rebuild(projection: AnyProjection, options?: RebuildOptions): Promise<RebuildResult>
  /** Builds a version anew from a position or a time on. See `replay`. */
  replay(projection: AnyProjection, options: ReplayOptions): Promise<RebuildResult>
  /** Compares two versions row by row, at one position. See `diffVersions`. */
  diff(projection: string, options?: DiffOptions): Promise<DiffResult>
  /** Shows a version that is ready. See `promote`. */
  promote(projection: string, options?: PromoteOptions): Promise<SwitchResult>
  /** Shows the version before again. See `rollback`. */
  rollback(projection: string, options?: SwitchOptions): Promise<SwitchResult>
  /** Has appends apply a projection from now on, or workers again. See `setMode`. */
  setMode(
    projection: AnyProjection | string,
    mode: ProjectionMode,
    options?: SetModeOptions,
  ): Promise<SetModeResult>
  /** Divides the keys of a version into another number of partitions. See `repartition`. */
  repartition(
    projection: string,
    partitions: number,
    options?: RepartitionOptions,
  ): Promise<RepartitionResult>
  /** Removes a version that is not live. See `dropVersion`. */
  drop(projection: string, version: number, options?: { readonly live?: boolean }): Promise<void>

  /** Drops a reactor, route or relay that no worker runs any more. See `dropSubscription`. */
  dropSubscription(kind: DroppableKind, name: string): Promise<void>

  /** Events, messages and jobs that failed for good: list, retry or discard them. */
  readonly parked: ParkedStore

  /** Events that reactors have passed over while they were far behind. See `ShedOptions`. */
  readonly shed: ShedStore
  /** Instances of processes: list, show, retry or abort them. */
  readonly processes: ProcessStore

  /** Tables of applications that are not event-sourced, whose changes append events. */
  readonly captures: CaptureStore

  /** Imports events of another system, fast and exactly once. See `importEvents`. */
  importEvents(
    events: AsyncIterable<ImportedEvent> | Iterable<ImportedEvent>,
    options: ImportOptions,
  ): Promise<ImportResult>

  /** Does something once, in a transaction of its own, and stores its result. See `once`. */
  once<T extends OnceResult>(
    scope: string,
    key: string,
    fn: (tx: pg.PoolClient) => Promise<T>,
  ): Promise<T>

  status(): Promise<LogStatus>
  /**
   * Tells how much waits: appends of this store, events without a position, and what subscriptions have yet to
   * apply. See `readPressure`; `loadLimit` refuses HTTP requests by it.
   */
  pressure(options?: PressureOptions): Promise<Pressure>
  /** Finds out what keeps the log from working, or will. See `diagnose`. */
  doctor(options?: DoctorOptions): Promise<Diagnosis>

  /** Seals everything that is sequenced, which workers do by and by. See `sealAll`. */
  seal(options?: SealOptions): Promise<SealResult>
  /** Holds the log against its hash chain, and against a signed checkpoint. See `verifyLog`. */
  verify(options?: VerifyOptions): Promise<VerifyResult>
  /** Proves in one snapshot that log, ledger and subscriptions add up. See `audit`. */
  audit(options?: AuditOptions): Promise<AuditResult>
  /** Signs where the hash chain has come to. See `exportCheckpoint`. */
  exportCheckpoint(privateKey: Key): Promise<SignedCheckpoint>

  /**
   * Drops the log's replication slots, for when no worker is to run for a while: the server keeps
   * WAL for a slot that nobody reads. The next worker continues exactly.
   */
  dropSlots(): Promise<readonly string[]>

  /** Lets the appends that are queued or under way end, then ends the connections. */
  close(): Promise<void>
}

/**
 * Opens a log.
 *
 * @throws CONNECTION_FAILED, SCHEMA_NOT_INSTALLED
 */
export async function createStore<D extends AnyEventDefinition = AnyEventDefinition>(
  options: StoreOptions<D>,
): Promise<Store<D>> {
  const { connectionString, logger = silentLogger } = options
  const jobSchema = options.jobSchema === false ? null : (options.jobSchema ?? defaultJobSchema)
  const names = logNames(options.schema)
  const registry = eventRegistry([...(options.events ?? []), ...processEvents])
  warnOfLossyEvents(registry.definitions)
  const pool = createPool({
    connectionString,
    applicationName: 'tidemark store',
    ...(options.maxConnections === undefined ? {} : { max: options.maxConnections }),
  })
  const inline = inlineWriter(pool, names, options.inline ?? [])
  await requireLog(pool, names.schema, connectionString)

  const { maxEventBytes, groupCommit } = options
  const events = eventStore<D>({
    connection: pool,
    names,
    registry,
    maxEventBytes,
    inline,
    groupCommit: groupCommit === false ? false : { ...waitingShare(pool), ...groupCommit },
  })
  const close = async () => {
    await events.close()
    await pool.end()
  }
  const store: Store<D> = {
    ...events,
    ...deciderStore({ connection: pool, names, append: events.append, logger }),
    ...outboxStore(pool, names),
    ...queryStore(pool, names),
    waitFor: (token, target, wait) =>
      waitForToken(pool, names, token, target && toTarget(target, 'live'), wait),
    rebuild: (projection, build) =>
      rebuild({ pool, connectionString, names, logger }, projection, build),
    replay: (projection, options) =>
      replay({ pool, connectionString, names, logger }, projection, options),
    diff: (projection, comparison) => diffVersions(pool, names, projection, comparison),
    promote: (projection, promotion) => promote(pool, names, projection, promotion),
    rollback: (projection, change) => rollback(pool, names, projection, change),
    setMode: (projection, mode, change) => setMode(pool, names, projection, mode, change),
    repartition: (projection, partitions, change) =>
      repartition(pool, names, projection, partitions, change),
    drop: (projection, version, removal) => dropVersion(pool, names, projection, version, removal),
    dropSubscription: (kind, name) => dropSubscription(pool, names, kind, name),
    captures: captureStore(pool, names),
    parked: parkedStore(pool, { names, jobSchema }, logger),
    shed: shedStore(pool, { names, jobSchema }, logger),
    processes: processStore(pool, { names, jobSchema }),
    importEvents: (imported, importing) =>
      importEvents({ connectionString, names, maxEventBytes, inline }, imported, importing),
    once: (scope, key, fn) => once(pool, scope, key, fn, { schema: names.schema }),
    status: () => readStatus(pool, names, jobSchema),
    pressure: (of) => readPressure(pool, names, events.pendingAppends(), of),
    doctor: (limits) => diagnose({ connectionString, schema: names.schema, ...limits }),
    seal: (sealing) => sealAll(pool, names, sealing),
    verify: (verification) => verifyLog(pool, names, verification),
    audit: (auditing) => audit(pool, names, auditing),
    exportCheckpoint: (privateKey) => exportCheckpoint(pool, names, privateKey),
    dropSlots: async () => {
      const client = await pool.connect()
      return dropSlots(client, names).finally(() => client.release())
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  return store
}

/** Without definitions appends are as they were, and those that an inline projection reads are refused. */
function inlineWriter(
  pool: pg.Pool,
  names: LogNames,
  projections: readonly AnyProjection[],
): InlineProjections | undefined {
  return projections.length === 0 ? undefined : new InlineProjections(pool, names, projections)
}
