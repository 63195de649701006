import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { readServerFacts, requireUsableServer, type ServerFacts } from '../db/preflight.ts'
import { verifyPublication } from '../db/publication.ts'
import { acquireLeaderLock } from './leader-lock.ts'
import { LedgerWriter } from './ledger-writer.ts'
import { trackLowXid } from './low-xid.ts'
import { pollTerm } from './poll-term.ts'
import { readSequencer } from './sequencer-state.ts'
import { obtainTrustedSlot, type TrustedSlot } from './trusted-slot.ts'
import { slotObstacle, walLevelObstacle } from './wal-obstacle.ts'
import { WalStream } from './wal-stream.ts'

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
  readonly leaderPollIntervalMs: number
  readonly maxBatch: number
  readonly maxWaiting: number
  readonly onRole: (role: SequencerRole) => void
}

/** How long the WAL is not tried again after it could not be read. */
const walRetryMs = 60_000

/**
 * Leads once: from the leader lock to the end of one of the two connections, or until the WAL is to be
 * tried again. Ends without an error only then, and when aborted.
 */
export async function leadTerm(
  client: pg.Client,
  settings: TermSettings,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { names, mode } = settings
  const facts = await readServerFacts(client)
  requireUsableServer(facts)
  if (mode === 'wal') requireLogicalWal(facts)
  await readSequencer(client, names.schema)
  const { leaderPollIntervalMs } = settings
  if (!(await acquireLeaderLock(client, names.schema, leaderPollIntervalMs, healthy, signal)))
    return
  const term = { client, settings, facts, healthy, signal }
  const obstacle = mode === 'poll' ? 'so it is set' : walLevelObstacle(facts)
  if (obstacle !== undefined) return poll(term, obstacle)
  const slot = await obtainSlot(term)
  if (typeof slot === 'string') return poll(term, slot, performance.now() + walRetryMs)
  settings.logger.info(
    { slot: slot.slotName, position: `${slot.state.position}` },
    'leading the sequencer',
  )
  await follow(client, settings, slot, healthy, signal)
}

interface Term {
  readonly client: pg.Client
  readonly settings: TermSettings
  readonly facts: ServerFacts
  readonly healthy: () => void
  readonly signal: AbortSignal
}

/** @returns the slot, or what keeps it from being had, if polling is allowed instead. */
async function obtainSlot(term: Term): Promise<TrustedSlot | string> {
  const { client, settings, facts, signal } = term
  await verifyPublication(client, settings.names, facts.versionNumber)
  try {
    return await obtainTrustedSlot({ ...settings, client, facts, signal })
  } catch (error) {
    const obstacle = settings.mode === 'auto' ? slotObstacle(error) : undefined
    if (obstacle === undefined || signal.aborted) throw error
    return obstacle
  }
}

async function poll(term: Term, reason: string, until?: number): Promise<void> {
  const { client, settings, facts, healthy, signal } = term
  const { names, logger, onRole } = settings
  logger.info({ reason }, `leading the sequencer by polling: ${reason}`)
  await pollTerm({
    ...{ client, names, facts, logger, signal },
    ...(until === undefined ? {} : { until }),
    onStart: () => {
      healthy()
      onRole('leader')
    },
  })
}

async function follow(
  client: pg.Client,
  settings: TermSettings,
  slot: TrustedSlot,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const term = new AbortController()
  const ended = AbortSignal.any([signal, term.signal])
  const writer = new LedgerWriter({
    client,
    names: settings.names,
    generation: slot.state.generation,
    position: slot.state.position,
    maxBatch: settings.maxBatch,
    signal: ended,
    onDurable: (count, endLsn) => {
      stream.durable(count, endLsn)
      if (writer.waiting < settings.maxWaiting / 2) stream.resume()
    },
  })
  const stream = new WalStream({
    connectionString: settings.connectionString,
    slot: slot.slotName,
    publication: settings.names.publication,
    schema: settings.names.schema,
    startLsn: slot.startLsn,
    statusIntervalMs: await statusInterval(client),
    onCommit: (commit) => {
      writer.push(commit)
      if (writer.waiting >= settings.maxWaiting) stream.pause()
    },
  })
  const tracking = trackLowXid(client, stream, writer, ended)
  const stop = () => void stream.stop()
  client.once('end', stop)
  ended.addEventListener('abort', stop, { once: true })
  if (ended.aborted) stop()
  try {
    await untilFirstEnds(term, [
      stream.run(() => {
        healthy()
        settings.onRole('leader')
      }),
      writer.run(),
      tracking,
    ])
  } finally {
    ended.removeEventListener('abort', stop)
  }
}

/** Runs the parts of a term; the end of one ends the others, and its error is the term's. */
async function untilFirstEnds(
  term: AbortController,
  parts: readonly Promise<void>[],
): Promise<void> {
  const results = await Promise.allSettled(parts.map((part) => part.finally(() => term.abort())))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/**
 * The server's sender looks at what is flushed, then prepares to sleep; what is flushed in between
 * wakes nobody, and is sent only when the sender hears something: once in a thousand commits on 18.4
 * with both cores busy (test/sequencer/latency). So it hears from us often. A status that moves nothing
 * costs it next to nothing.
 */
const nudgeMs = 100

async function statusInterval(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    "select setting::integer as ms from pg_settings where name = 'wal_sender_timeout'",
  )
  const timeoutMs = rows[0]?.ms ?? 0
  return timeoutMs === 0 ? nudgeMs : Math.max(10, Math.min(nudgeMs, Math.floor(timeoutMs / 3)))
}

function requireLogicalWal(facts: ServerFacts): void {
  if (facts.walLevel === 'logical') return
  throw new TidemarkError(
    'WAL_LEVEL_INSUFFICIENT',
    `wal_level is "${facts.walLevel}" and must be "logical". ` +
      'Run: alter system set wal_level = logical; then restart the server.',
    { details: { found: facts.walLevel } },
  )
}
