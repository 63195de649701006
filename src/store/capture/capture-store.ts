import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import {
  type CaptureOptions,
  type CaptureResult,
  installCapture,
  removeCapture,
} from './install-capture.ts'
import { type Capture, listCaptures } from './list-captures.ts'
import {
  type CaptureSnapshotOptions,
  type CaptureSnapshotResult,
  snapshotCapture,
} from './snapshot-capture.ts'

/** The captures of a log. */
export interface CaptureStore {
  /** Has each change of a table's rows append an event. See `installCapture`. */
  install(table: string, options: CaptureOptions): Promise<CaptureResult>
  /** Appends an event for each row whose present state the log does not have. See `snapshotCapture`. */
  snapshot(table: string, options?: CaptureSnapshotOptions): Promise<CaptureSnapshotResult>
  /** Lists the tables that are captured, and what keeps them from being recorded. */
  list(): Promise<readonly Capture[]>
  /** Takes a capture away. Its events stay. See `removeCapture`. */
  remove(
    table: string,
    options?: Pick<CaptureOptions, 'lockTimeoutMs'>,
  ): Promise<{ readonly table: string; readonly category: string }>
}

/** Opens the captures of a log. */
export function captureStore(pool: pg.Pool, names: LogNames): CaptureStore {
  return {
    install: (table, options) => installCapture(pool, names, table, options),
    snapshot: (table, options) => snapshotCapture(pool, names, table, options),
    list: () => listCaptures(pool, names),
    remove: (table, options) => removeCapture(pool, names, table, options),
  }
}
