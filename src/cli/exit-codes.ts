import { type ErrorCode, isTidemarkError } from '../core/tidemark-error.ts'

/** What the exit code of the command line means. */
export const exitCodes = {
  ok: 0,
  /** A defect, or something that nobody foresaw. */
  unexpected: 1,
  /** The command line, an option or the config file is wrong. */
  usage: 2,
  /** The server cannot be reached or used, or no log is installed. */
  server: 3,
  /** Refused as things stand: unknown, in another state, in use. */
  refused: 4,
  /** A handler threw. */
  handler: 5,
  /** `verify` or `audit` found something wrong with the log, or a checkpoint is not genuine. */
  damaged: 6,
  /** `doctor` found something that keeps the log from working. */
  unhealthy: 7,
  /** `diff` found rows that differ. */
  different: 8,
  /** Stopped by the user. */
  cancelled: 130,
  /** Stopped by SIGTERM before the end. */
  terminated: 143,
} as const

/** Exit codes of a process that a signal ended: 128 and the signal's number. */
export const signalExitCodes = {
  SIGINT: exitCodes.cancelled,
  SIGTERM: exitCodes.terminated,
} as const

export type StopSignal = keyof typeof signalExitCodes

/** Exit code of each error code. A new error code does not compile until it stands here. */
export const exitCodeOfError: Readonly<Record<ErrorCode, number>> = {
  STREAM_VERSION_CONFLICT: exitCodes.refused,
  STREAM_ID_INVALID: exitCodes.usage,
  APPEND_INVALID: exitCodes.usage,
  APPEND_KEY_REUSED: exitCodes.usage,
  APPEND_CONDITION_FAILED: exitCodes.refused,
  APPEND_QUEUE_FULL: exitCodes.refused,
  IMPORT_INVALID: exitCodes.usage,
  STORE_CLOSED: exitCodes.usage,
  TRANSACTION_STALE: exitCodes.refused,
  EVENT_DATA_INVALID: exitCodes.usage,
  EVENT_TOO_LARGE: exitCodes.usage,
  EVENT_UNKNOWN: exitCodes.refused,
  EVENT_TYPE_UNKNOWN: exitCodes.usage,
  EVENT_SCHEMA_VERSION_UNKNOWN: exitCodes.usage,
  COMMAND_UNKNOWN: exitCodes.usage,
  DECISION_INVALID: exitCodes.usage,
  DEFINITION_INVALID: exitCodes.usage,
  OPTION_INVALID: exitCodes.usage,

  CONNECTION_FAILED: exitCodes.server,
  DATABASE_READ_ONLY: exitCodes.server,
  SERVER_VERSION_UNSUPPORTED: exitCodes.server,
  PRIVILEGE_MISSING: exitCodes.server,
  SCHEMA_NOT_INSTALLED: exitCodes.server,
  SCHEMA_FOREIGN: exitCodes.refused,
  MIGRATION_FAILED: exitCodes.server,

  WAL_LEVEL_INSUFFICIENT: exitCodes.server,
  PUBLICATION_INVALID: exitCodes.server,
  SEQUENCER_SUPERSEDED: exitCodes.refused,
  REPLICATION_STREAM_INVALID: exitCodes.unexpected,
  LOG_MOVED: exitCodes.refused,
  LOG_INCONSISTENT: exitCodes.unexpected,
  LOG_DAMAGED: exitCodes.damaged,
  LOG_UNHEALTHY: exitCodes.unhealthy,
  CHECKPOINT_INVALID: exitCodes.damaged,

  CHECKPOINT_REGRESSED: exitCodes.refused,
  SUBSCRIPTION_UNKNOWN: exitCodes.refused,
  SUBSCRIPTION_IN_USE: exitCodes.refused,
  SUBSCRIPTION_FAILED: exitCodes.handler,
  HANDLER_FAILED: exitCodes.handler,
  PARKING_FULL: exitCodes.handler,
  PARKED_EVENT_UNKNOWN: exitCodes.refused,
  JOB_TIMED_OUT: exitCodes.handler,
  JOB_UNKNOWN: exitCodes.refused,
  SHED_EVENTS_UNKNOWN: exitCodes.refused,
  PROCESS_INSTANCE_UNKNOWN: exitCodes.refused,
  PROCESS_STATE_INVALID: exitCodes.refused,
  PROJECTION_NOT_APPLIED: exitCodes.refused,
  TRANSACTION_NOT_COMMITTED: exitCodes.refused,
  TOKEN_INVALID: exitCodes.usage,
  WAIT_TIMED_OUT: exitCodes.refused,

  PROJECTION_UNKNOWN: exitCodes.refused,
  PROJECTION_VERSION_UNKNOWN: exitCodes.refused,
  PROJECTION_STATE_INVALID: exitCodes.refused,
  PROJECTION_BEHIND: exitCodes.refused,
  PROJECTION_DRIFTED: exitCodes.refused,
  PROJECTION_VIEW_IN_USE: exitCodes.refused,
  PROJECTION_DIFFERS: exitCodes.different,
  TABLE_NOT_CAPTURABLE: exitCodes.refused,
  TABLE_NOT_CAPTURED: exitCodes.refused,
  LOCK_TIMED_OUT: exitCodes.refused,

  MESSAGE_INVALID: exitCodes.usage,
  MESSAGE_TOO_LARGE: exitCodes.usage,
  MESSAGE_REFUSED: exitCodes.refused,
  PUBLISH_FAILED: exitCodes.server,

  CONFIG_NOT_FOUND: exitCodes.usage,
  CONFIG_INVALID: exitCodes.usage,
  OPERATION_CANCELLED: exitCodes.cancelled,
  NOT_SUPPORTED: exitCodes.usage,
}

/** Exit code for what a command threw. A cancelled one says which signal cancelled it. */
export function exitCodeOf(error: unknown, received?: StopSignal): number {
  if (!isTidemarkError(error)) return exitCodes.unexpected
  if (error.code === 'OPERATION_CANCELLED' && received !== undefined) {
    return signalExitCodes[received]
  }
  return exitCodeOfError[error.code]
}
