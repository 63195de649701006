export { defineConfig, type TidemarkConfig } from './cli/config.ts'
export type { Cause } from './core/causation.ts'
export {
  type AnyDecider,
  type CommandOf,
  type Decider,
  type DeciderOptions,
  type Decision,
  decider,
  type EvolvingEvent,
  type InputOf,
  type RejectionOf,
  type SnapshotOptions,
  type StateOf,
} from './core/decider.ts'
export type { ErrorDetails, EventDataIssue } from './core/error-details.ts'
export {
  type AnyEventDefinition,
  type EventDefinition,
  type EventOf,
  type ExtensibleEventDefinition,
  event,
  type NewEvent,
  type NewEventOf,
  type NewEventOptions,
} from './core/event.ts'
export type { UnknownEvents } from './core/event-registry.ts'
export type { Json, JsonObject } from './core/json.ts'
export {
  type JsonSchema,
  type JsonSchemas,
  type JsonSchemasOptions,
  jsonSchemas,
} from './core/json-schemas.ts'
export { type Logger, silentLogger } from './core/logger.ts'
export type { RecordedEvent, SequencedEvent } from './core/recorded-event.ts'
export { type Rejection, reject } from './core/rejection.ts'
export { type ErrorCode, isTidemarkError, TidemarkError } from './core/tidemark-error.ts'
export type { Token } from './core/token.ts'
export type { Connection, KyselyLike, Queryable } from './db/queryable.ts'
export { type Reactor, type ReactorOptions, reactor } from './jobs/reactor.ts'
export { type AnyTask, type Job, type JobOptions, type Task, task } from './jobs/task.ts'
export type { QueryDiff } from './projections/diff/compare-by-query.ts'
export type { RowDiff, TableDiff } from './projections/diff/compare-tables.ts'
export type { DiffOptions, DiffResult } from './projections/diff/diff-versions.ts'
export type {
  ProjectionMode,
  SetModeOptions,
  SetModeResult,
} from './projections/inline/set-mode.ts'
export type { BatchEvent, BatchEvents } from './projections/lanes/batch-events.ts'
export type { ProjectionWriter, WriteDatabase } from './projections/lanes/projection-writer.ts'
export type { Write, Writes } from './projections/lanes/writes.ts'
export {
  type AnyProjection,
  type Batch,
  type Each,
  type Fold,
  type Projection,
  type ProjectionOptions,
  projection,
} from './projections/projection.ts'
export type { AsOfOptions } from './projections/query/as-of.ts'
export type { ProjectionQuery, Queried, QueryDatabase } from './projections/query/query.ts'
export type { SqlResult } from './projections/query/read-sql.ts'
export {
  array,
  bigint,
  boolean,
  date,
  doublePrecision,
  enumeration,
  integer,
  jsonb,
  numeric,
  smallint,
  text,
  timestamptz,
  uuid,
} from './projections/tables/column.ts'
export type { Column } from './projections/tables/column-spec.ts'
export type { NumericOptions } from './projections/tables/numeric-text.ts'
export { type RowsTable, type RowsTables, rows } from './projections/tables/rows.ts'
export {
  type Columns,
  type ForeignKey,
  foreignKey,
  type Index,
  type IndexPart,
  type Key,
  type ReducedRow,
  type Row,
  type Table,
  type TableOptions,
  table,
  type Values,
} from './projections/tables/table.ts'
export type {
  RebuildOptions,
  RebuildProgress,
  RebuildResult,
} from './projections/versions/rebuild.ts'
export type {
  RepartitionOptions,
  RepartitionResult,
} from './projections/versions/repartition-version.ts'
export type { ReplayOptions } from './projections/versions/replay.ts'
export type {
  PromoteOptions,
  SwitchOptions,
  SwitchResult,
} from './projections/versions/switch-version.ts'
export type { ProjectionState } from './projections/versions/versions.ts'
export type { Finding, FindingKind } from './sequencer/integrity/finding.ts'
export type { SealOptions, SealResult } from './sequencer/integrity/seal-all.ts'
export {
  type Key as CheckpointKey,
  type SignedCheckpoint,
  verifyCheckpoint,
} from './sequencer/integrity/signed-checkpoint.ts'
export type {
  VerifyOptions,
  VerifyProgress,
  VerifyResult,
} from './sequencer/integrity/verify-log.ts'
export type { AppendCondition } from './store/append-condition.ts'
export type { AppendResult } from './store/append-outcome.ts'
export type { Expectation, StreamAppend } from './store/check-append.ts'
export type { AppendDecision, DecideOptions, DecideResult } from './store/decide-on.ts'
export type { DeciderStore } from './store/decider-store.ts'
export type { EventQuery, EventQueryItem } from './store/event-query.ts'
export type { EventReader, LogEvent, RecordedEventOf, StreamEvent } from './store/event-reader.ts'
export type { AppendManyOptions, AppendOptions, EventStore } from './store/event-store.ts'
export type {
  Accepted,
  ExecuteArguments,
  ExecuteOptions,
  ExecuteResult,
  Refused,
} from './store/execute.ts'
export type { GroupCommitOptions } from './store/group-commit.ts'
export type {
  ImportOptions,
  ImportProgress,
  ImportResult,
} from './store/import/import-events.ts'
export type { ImportedEvent } from './store/import/imported-event.ts'
export type { EventPage } from './store/iterate-pages.ts'
export type { LoadedState, LoadOptions } from './store/load-state.ts'
export type { LogFilter } from './store/log-filter.ts'
export type { ReadChainOptions } from './store/read-chain.ts'
export type { LogPage, LogPageOptions, ReadLogOptions } from './store/read-log.ts'
export type { QueryResult, QueryToken } from './store/read-query.ts'
export type { ReadDirection, ReadStreamOptions, StreamPageOptions } from './store/read-stream.ts'
export type { LogMoment } from './subscriptions/log-moment.ts'
export type { DiscardResult, DiscardTarget } from './subscriptions/parking/discard-parked.ts'
export type {
  ParkedEntry,
  ParkedError,
  ParkedFilter,
  ParkedKey,
} from './subscriptions/parking/parked-key.ts'
export type {
  RetryFailure,
  RetryOptions,
  RetryResult,
} from './subscriptions/parking/retry-parked.ts'

export type { WaitOptions } from './subscriptions/wait-for.ts'
export type { AuditOptions, AuditResult } from './worker/audit.ts'
export {
  createStore,
  type QueryOptions,
  type ReadSqlOptions,
  type ReadSqlResult,
  type Store,
  type StoreOptions,
} from './worker/create-store.ts'
export {
  type DiagnoseOptions,
  type Diagnosis,
  type DoctorOptions,
  diagnose,
} from './worker/doctor/diagnose.ts'
export type { CheckName, DoctorFinding } from './worker/doctor/diagnosis.ts'
export { type MigrateOptions, type MigrateResult, migrate } from './worker/migrate.ts'
export type { ParkedStore } from './worker/parked.ts'
export type { LogStatus, PartitionStatus, SlotStatus, SubscriptionStatus } from './worker/status.ts'
export {
  type RequestHeaders,
  readToken,
  type TokenHeadersOptions,
  tokenHeaders,
} from './worker/token-headers.ts'
export { runWorker, type WorkerOptions } from './worker/worker.ts'
