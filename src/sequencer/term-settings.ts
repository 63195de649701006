import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'

/**
 * Where commits are taken from: the WAL, by logical replication; or the table, by polling, which needs
 * neither `wal_level = logical` nor the right to replicate. `auto`: the WAL where it can be read.
 */
export type SequencerMode = 'auto' | 'wal' | 'poll'

/** Whether this process writes the ledger or stands by. */
export type SequencerRole = 'standby' | 'leader'

export interface TermSettings {
  readonly connectionString: string
  readonly names: LogNames
  readonly mode: SequencerMode
  readonly logger: Logger
  readonly untilLeaderless: (signal: AbortSignal) => Promise<unknown>
  /** After how much silence a leader leads no more. */
  readonly leaderSilenceMs: number
  readonly maxBatch: number
  readonly maxWaiting: number
  readonly onRole: (role: SequencerRole) => void
}
