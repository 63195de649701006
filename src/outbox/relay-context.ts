import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import type { LogSession } from '../subscriptions/log-session.ts'

/** What a relay is run with. */
export interface RelayContext {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly session: LogSession
  readonly logger: Logger
  /** This process, for people who look at `status`. */
  readonly owner: string
}
