/** Facts that come with each error code. The codes are explained in `docs/errors.md`. */
export interface ErrorDetails {
  STREAM_VERSION_CONFLICT: {
    readonly streamId: string
    readonly expectedVersion: string
    readonly actualVersion: bigint
  }
  STREAM_ID_INVALID: { readonly streamId: string; readonly reason: string }
  APPEND_INVALID: { readonly reason: string }
  APPEND_KEY_REUSED: { readonly key: string }
  APPEND_CONDITION_FAILED: { readonly reason: string }
  APPEND_QUEUE_FULL: { readonly queued: number }
  IMPORT_INVALID: {
    /** Number of the event in its source, from 1; null when it is not about one. */
    readonly event: bigint | null
    readonly streamId: string | null
    readonly reason: string
  }
  STORE_CLOSED: { readonly reason: string }
  TRANSACTION_STALE: { readonly reason: string }
  EVENT_DATA_INVALID: {
    readonly type: string
    readonly schemaVersion: number
    readonly issues: readonly EventDataIssue[]
  }
  EVENT_TOO_LARGE: { readonly type: string; readonly bytes: number; readonly maxBytes: number }
  EVENT_UNKNOWN: { readonly eventId: string }
  EVENT_TYPE_UNKNOWN: {
    readonly type: string
    readonly streamId: string
    readonly position: bigint | null
  }
  EVENT_SCHEMA_VERSION_UNKNOWN: {
    readonly type: string
    readonly schemaVersion: number
    readonly newestKnown: number
    readonly streamId: string
    readonly position: bigint | null
  }
  COMMAND_UNKNOWN: {
    readonly decider: string
    readonly command: string
    readonly known: readonly string[]
  }
  DECISION_INVALID: {
    readonly decider: string
    readonly command: string
    readonly reason: string
  }
  DEFINITION_INVALID: { readonly name: string; readonly reason: string }
  OPTION_INVALID: { readonly option: string; readonly reason: string }

  CONNECTION_FAILED: { readonly target: string; readonly reason: string }
  DATABASE_READ_ONLY: { readonly target: string }
  SERVER_VERSION_UNSUPPORTED: { readonly found: string; readonly required: string }
  PRIVILEGE_MISSING: { readonly operation: string; readonly remedy: string }
  SCHEMA_NOT_INSTALLED: { readonly schema: string }
  SCHEMA_FOREIGN: { readonly schema: string }
  MIGRATION_FAILED: { readonly step: string }

  WAL_LEVEL_INSUFFICIENT: { readonly found: string }
  PUBLICATION_INVALID: { readonly publication: string; readonly reason: string }
  SEQUENCER_SUPERSEDED: { readonly generation: bigint; readonly position: bigint }
  REPLICATION_STREAM_INVALID: { readonly reason: string }
  LOG_MOVED: { readonly schema: string }
  LOG_INCONSISTENT: { readonly position: bigint; readonly reason: string }
  LOG_DAMAGED: { readonly findings: number; readonly position: bigint | null }
  LOG_UNHEALTHY: { readonly errors: number; readonly check: string }
  CHECKPOINT_INVALID: { readonly reason: string }

  CHECKPOINT_REGRESSED: { readonly subscription: string; readonly expected: bigint }
  SUBSCRIPTION_UNKNOWN: { readonly subscription: string }
  SUBSCRIPTION_IN_USE: { readonly subscription: string }
  SUBSCRIPTION_FAILED: { readonly subscription: string; readonly reason: string }
  HANDLER_FAILED: {
    readonly subscription: string
    /** Null while a projection is applied inline. */
    readonly position: bigint | null
    readonly type: string
    readonly streamId: string
    readonly reason: string
  }
  PARKING_FULL: {
    readonly subscription: string
    readonly parked: number
    readonly maxParked: number
  }
  PARKED_EVENT_UNKNOWN: { readonly subscription: string }
  JOB_TIMED_OUT: { readonly timeoutMs: number }
  JOB_UNKNOWN: { readonly job: string }
  SHED_EVENTS_UNKNOWN: { readonly reactor: string }
  PROCESS_INSTANCE_UNKNOWN: { readonly process: string; readonly id: string }
  PROCESS_STATE_INVALID: {
    readonly process: string
    readonly id: string
    readonly state: string
  }
  PROJECTION_NOT_APPLIED: {
    readonly projection: string
    readonly version: number
    readonly reason: string
  }
  TRANSACTION_NOT_COMMITTED: { readonly token: string; readonly status: string }
  TOKEN_INVALID: { readonly token: string }
  WAIT_TIMED_OUT: { readonly waitingFor: string; readonly timeoutMs: number }

  PROJECTION_UNKNOWN: { readonly projection: string; readonly known: readonly string[] }
  PROJECTION_VERSION_UNKNOWN: { readonly projection: string; readonly version: number }
  PROJECTION_STATE_INVALID: {
    readonly projection: string
    readonly version: number
    readonly state: string
  }
  PROJECTION_BEHIND: {
    readonly projection: string
    readonly version: number
    readonly lag: bigint
  }
  PROJECTION_DRIFTED: {
    readonly projection: string
    readonly version: number
    readonly reason: string
  }
  PROJECTION_VIEW_IN_USE: { readonly view: string; readonly dependents: string }
  PROJECTION_DIFFERS: {
    readonly projection: string
    readonly from: number
    readonly to: number
  }
  TABLE_NOT_CAPTURABLE: { readonly table: string; readonly reason: string }
  TABLE_NOT_CAPTURED: { readonly table: string }
  LOCK_TIMED_OUT: { readonly resource: string; readonly timeoutMs: number }

  MESSAGE_INVALID: { readonly topic: string; readonly reason: string }
  MESSAGE_TOO_LARGE: { readonly topic: string; readonly bytes: number; readonly maxBytes: number }
  MESSAGE_REFUSED: { readonly messageId: string; readonly topic: string; readonly reason: string }
  PUBLISH_FAILED: {
    readonly broker: string
    readonly reason: string
    /** How long the receiver asked to be left alone; null when it did not. */
    readonly retryAfterMs: number | null
  }

  CONFIG_NOT_FOUND: { readonly path: string }
  CONFIG_INVALID: { readonly path: string; readonly reason: string }
  OPERATION_CANCELLED: { readonly operation: string }
  NOT_SUPPORTED: { readonly feature: string }
}

/** One thing that a schema found wrong with an event's data. */
export interface EventDataIssue {
  readonly path: string
  readonly message: string
}
