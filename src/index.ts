export { defineConfig, type TidemarkConfig } from './cli/config.ts'
export {
  type CapturedEvents,
  type CapturedRow,
  type ChangedRow,
  captured,
  type DeletedRow,
} from './core/captured.ts'
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
export type {
  Act,
  Action,
  CommandAction,
  CommandCall,
  CommandOptions,
  JobRequest,
} from './core/processes/action.ts'
export type { Duration } from './core/processes/duration.ts'
export type {
  InstanceState,
  ProcessStep,
  ProcessTimer,
  RecordedAction,
} from './core/processes/instance.ts'
export { processEvents, type ToldEvent } from './core/processes/process-events.ts'
export {
  type Answer,
  type AnyProcess,
  type ProcessManager,
  type ProcessOptions,
  processManager,
  type RefusedBy,
  type RefusedCommand,
} from './core/processes/process-manager.ts'
export type { RecordedEvent, SequencedEvent } from './core/recorded-event.ts'
export { type Rejection, reject } from './core/rejection.ts'
export { type ErrorCode, isTidemarkError, TidemarkError } from './core/tidemark-error.ts'
export type { Token } from './core/token.ts'
export type { Connection, KyselyLike, Queryable } from './db/queryable.ts'
export { type CronOptions, cron } from './jobs/cron.ts'
export type { DeadJob, DeadJobFilter } from './jobs/dead-jobs.ts'
export type { CoalesceOptions, Job, JobOptions } from './jobs/job.ts'
export type { JobEvent } from './jobs/job-origin.ts'
export { PermanentError } from './jobs/permanent-error.ts'
export type { ProcessStatus } from './jobs/processes/count-instances.ts'
export type {
  InstanceDetails,
  InstanceFilter,
  InstanceSummary,
  ProcessName,
  ProcessStore,
} from './jobs/processes/process-store.ts'
export type { InstanceStep } from './jobs/processes/read-instances.ts'
export { type Reactor, type ReactorOptions, reactor } from './jobs/reactor.ts'
export type { ShedOptions } from './jobs/shedding/load-shedder.ts'
export type { ReplayShedOptions } from './jobs/shedding/replay-shed.ts'
export type { ShedEvents } from './jobs/shedding/shed-events.ts'
export { type AnyTask, type Task, type TaskDefinition, task } from './jobs/task.ts'
export type { BreakerOptions } from './jobs/task-breaker.ts'
export type { TaskContext, TaskJob, TaskStore } from './jobs/task-context.ts'
export type { ParkedMessageTarget } from './outbox/change-parked.ts'
export { type CloudEvent, toCloudEvent } from './outbox/cloud-event.ts'
export type { CloudEventMode } from './outbox/encode-message.ts'
export {
  type Consumed,
  type ConsumeOptions,
  consume,
  type InboxMessage,
  type TrimInboxOptions,
  trimInbox,
} from './outbox/inbox.ts'
export type { OutboxStore, PublishOptions } from './outbox/outbox-store.ts'
export type {
  ParkedMessage,
  ParkedMessageEntry,
  ParkedMessageFilter,
  ParkedMessageKey,
} from './outbox/parked-messages.ts'
export type {
  OpenPublisher,
  OutboxMessage,
  Publisher,
  PublisherContext,
} from './outbox/publisher.ts'
export { type Relay, type RelayOptions, relay } from './outbox/relay.ts'
export { type WebhookOptions, webhook } from './outbox/relays/webhook.ts'
export { type VerifyWebhookOptions, verifyWebhook } from './outbox/relays/webhook-signature.ts'
export { type Route, type Routed, type RouteOptions, route } from './outbox/route.ts'
export { type NewMessage, type NewMessageOptions, type Topic, topic } from './outbox/topic.ts'
export { topicMatches } from './outbox/topic-pattern.ts'
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
  type HandledEventOf,
  type Projection,
  type ProjectionOptions,
  projection,
} from './projections/projection.ts'
export type { AsOfOptions } from './projections/query/as-of.ts'
export type { ProjectionQuery, Queried, QueryDatabase } from './projections/query/query.ts'
export type { QueryOptions } from './projections/query/query-options.ts'
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
export type { RebuildProgress } from './projections/versions/build-progress.ts'
export type { RebuildOptions, RebuildResult } from './projections/versions/rebuild.ts'
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
export type { ColumnFilter } from './store/capture/capture-arguments.ts'
export type { CaptureStore } from './store/capture/capture-store.ts'
export type { CaptureOptions, CaptureResult } from './store/capture/install-capture.ts'
export type { Capture } from './store/capture/list-captures.ts'
export type {
  CaptureSnapshotOptions,
  CaptureSnapshotResult,
} from './store/capture/snapshot-capture.ts'
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
export {
  forgetOnce,
  type OnceConnection,
  type OnceResult,
  type OnceTransaction,
  once,
} from './store/once.ts'
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
export type { DroppableKind } from './worker/drop-subscription.ts'
export {
  type LoadLimit,
  type LoadLimitHandler,
  type LoadLimits,
  limitLoad,
  loadLimit,
  type Refusal,
} from './worker/load-limit.ts'
export { type MigrateOptions, type MigrateResult, migrate } from './worker/migrate.ts'
export type { ParkedStore } from './worker/parked.ts'
export type { Pressure, PressureOptions } from './worker/pressure.ts'
export type { QueryStore, ReadSqlOptions, ReadSqlResult } from './worker/query-store.ts'
export type { ShedStore } from './worker/shed.ts'
export type {
  LogStatus,
  OutboxStatus,
  PartitionStatus,
  SlotStatus,
  SubscriptionStatus,
} from './worker/status.ts'
export {
  type RequestHeaders,
  readToken,
  type TokenHeadersOptions,
  tokenHeaders,
} from './worker/token-headers.ts'
export { runWorker, type WorkerOptions } from './worker/worker.ts'
