import { type Logger, silentLogger } from '../core/logger.ts'
import { connect } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { logNames } from '../db/log-names.ts'
import { cutOnAbort, disconnect } from '../db/session/disconnect.ts'
import { keepSession } from '../db/session/keep-session.ts'
import { liftTimeLimits } from '../db/session/time-limits.ts'
import { pause } from '../db/wait.ts'
import { leadTerm } from './lead-term.ts'
import type { SequencerMode, SequencerRole } from './term-settings.ts'

export interface SequencerOptions {
  readonly connectionString: string
  readonly schema?: string
  readonly logger?: Logger
  /** Where commits are taken from. Default `'auto'`: the WAL where it can be read, else the table. */
  readonly mode?: SequencerMode
  /**
   * Waits until a standby shall try to lead, because nobody does, or until aborted. Default: a second,
   * jittered by half.
   */
  readonly untilLeaderless?: (signal: AbortSignal) => Promise<unknown>
  /**
   * After how much silence the server ends the session of a leader, so that another one leads. A leader
   * whose event loop is blocked for longer begins a new term. Default 5,000.
   */
  readonly leaderSilenceMs?: number
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

const defaults = {
  untilLeaderless: (signal: AbortSignal) => pause(500 + Math.random() * 1_000, signal),
  leaderSilenceMs: 5_000,
  maxBatch: 5_000,
  maxWaiting: 20_000,
}

/** Of a standby, which says nothing by itself. The answer to a leader may take as long, too. */
const silence = { everyMs: 5_000, askAfterMs: 60_000, giveUpAfterMs: 30_000 }

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
    untilLeaderless: options.untilLeaderless ?? defaults.untilLeaderless,
    leaderSilenceMs: options.leaderSilenceMs ?? defaults.leaderSilenceMs,
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
      keepSession(client, silence)
      const forget = cutOnAbort(client, signal)
      try {
        await liftTimeLimits(client)
        await client.query(waitForDisk)
        await leadTerm(client, settings, healthy, signal)
      } finally {
        forget()
        settings.onRole('standby')
        await disconnect(client)
      }
    },
    { task: 'sequencer', signal, logger: settings.logger },
  )
}
