import { type Logger, silentLogger } from '../core/logger.ts'
import { connect } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { logNames } from '../db/log-names.ts'
import { leadTerm, type SequencerMode, type SequencerRole } from './lead-term.ts'

export interface SequencerOptions {
  readonly connectionString: string
  readonly schema?: string
  readonly logger?: Logger
  /** Where commits are taken from. Default `'auto'`: the WAL where it can be read, else the table. */
  readonly mode?: SequencerMode
  /** How often a standby tries to lead. Default 1,000, jittered by half. */
  readonly leaderPollIntervalMs?: number
  /** Commits in one ledger statement. Default 5,000. */
  readonly maxBatch?: number
  /** Received commits at which reading from the WAL pauses until they are written. Default 20,000. */
  readonly maxWaiting?: number
  readonly onRole?: (role: SequencerRole) => void
}

/** A slot is confirmed for what the ledger holds on disk, so its commits must wait for that. */
const waitForDisk = /* sql */ `
  select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') = 'off'`

const defaults = { leaderPollIntervalMs: 1_000, maxBatch: 5_000, maxWaiting: 20_000 }

/**
 * Takes part in sequencing until aborted: leads when no other process does, stands by otherwise, and
 * begins anew after whatever ended a term. Of all processes one leads at a time; should two believe
 * that they do, the ledger accepts only the newer.
 */
export async function runSequencer(options: SequencerOptions, signal: AbortSignal): Promise<void> {
  const settings = {
    connectionString: options.connectionString,
    names: logNames(options.schema),
    logger: options.logger ?? silentLogger,
    mode: options.mode ?? 'auto',
    leaderPollIntervalMs: options.leaderPollIntervalMs ?? defaults.leaderPollIntervalMs,
    maxBatch: options.maxBatch ?? defaults.maxBatch,
    maxWaiting: options.maxWaiting ?? defaults.maxWaiting,
    onRole: options.onRole ?? (() => {}),
  }
  await keepTrying(
    async (healthy) => {
      const client = await connect({
        connectionString: settings.connectionString,
        applicationName: 'tidemark sequencer',
      })
      try {
        await client.query(waitForDisk)
        await leadTerm(client, settings, healthy, signal)
      } finally {
        settings.onRole('standby')
        await client.end().catch(() => {})
      }
    },
    { task: 'sequencer', signal, logger: settings.logger },
  )
}
