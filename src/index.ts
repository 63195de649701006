export { defineConfig, type TidemarkConfig } from './cli/config.ts'
export type { ErrorDetails, EventDataIssue } from './core/error-details.ts'
export {
  type AnyEventDefinition,
  type EventDefinition,
  type EventOf,
  type ExtensibleEventDefinition,
  event,
  type NewEvent,
  type NewEventOptions,
} from './core/event.ts'
export type { Json, JsonObject } from './core/json.ts'
export { type Logger, silentLogger } from './core/logger.ts'
export type { RecordedEvent, SequencedEvent } from './core/recorded-event.ts'
export { type ErrorCode, isTidemarkError, TidemarkError } from './core/tidemark-error.ts'
export type { Token } from './core/token.ts'
export type { MigrateResult } from './db/migrate-log.ts'
export type { Connection, KyselyLike, Queryable } from './db/queryable.ts'
export { type Reactor, type ReactorOptions, reactor } from './jobs/reactor.ts'
export { type AnyTask, type Job, type JobOptions, type Task, task } from './jobs/task.ts'
export {
  bigint,
  boolean,
  type Column,
  date,
  integer,
  jsonb,
  numeric,
  text,
  timestamptz,
  uuid,
} from './projections/column.ts'
export {
  type AnyProjection,
  type Fold,
  type Projection,
  type ProjectionOptions,
  projection,
} from './projections/projection.ts'
export type { ProjectionQuery, QueryDatabase } from './projections/query.ts'
export type { RebuildOptions, RebuildProgress, RebuildResult } from './projections/rebuild.ts'
export type { PromoteOptions, SwitchOptions, SwitchResult } from './projections/switch-version.ts'
export {
  type Columns,
  type Key,
  type Row,
  type Table,
  table,
  type Values,
} from './projections/table.ts'
export type { ProjectionState } from './projections/versions.ts'
export type { AppendResult, Expectation, StreamAppend } from './store/append.ts'
export type { ReadStreamOptions } from './store/read-stream.ts'
export type { WaitOptions } from './subscriptions/wait-for.ts'
export {
  type AppendOptions,
  createStore,
  type QueryOptions,
  type Store,
  type StoreOptions,
} from './worker/create-store.ts'
export { type MigrateOptions, migrate } from './worker/migrate.ts'
export type { LogStatus, SlotStatus, SubscriptionStatus } from './worker/status.ts'
export { runWorker, type WorkerOptions } from './worker/worker.ts'
