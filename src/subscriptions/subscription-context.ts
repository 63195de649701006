import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import type { LogSession } from './log-session.ts'
import type { Pace } from './pace.ts'
import type { ParkedKeys } from './parking/parked-keys.ts'
import type { SharedMoves } from './shared-moves.ts'
import type { SharedReads } from './shared-reads.ts'

export interface SubscriptionContext {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly session: LogSession
  readonly logger: Logger
  /** This process, for people who look at `status`. */
  readonly owner: string
  /** Positions in one chunk. */
  readonly batchSize: number
  /** Attempts at a chunk that fails, before the event that is at fault is looked for. */
  readonly maxAttempts: number
  /** What the subscriptions of one process do once for all of them. Without, each does it for itself. */
  readonly shared?: { readonly reads: SharedReads; readonly moves: SharedMoves }
  /** Called after each chunk, with the positions that it passed. */
  readonly pace?: Pace | undefined
  /** How long a chunk waits for a lock, and how long it may ask nothing. Defaults 10,000 and 60,000. */
  readonly chunkLimits?: { readonly lockTimeoutMs?: number; readonly silenceMs?: number }
  /** Events: null when they stay in the server. */
  readonly onChunk?: (position: bigint, events: number | null) => void
}

/** What it is delivered with, as long as nobody else changes what was read when it began. */
export interface Delivery extends SubscriptionContext {
  /** Position that is not passed. Null: it goes on without an end. */
  readonly haltAt: bigint | null
  readonly serverRun: string
  readonly revision: bigint
  readonly parked: ParkedKeys
}
