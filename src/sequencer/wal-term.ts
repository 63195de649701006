import type pg from 'pg'
import { LedgerWriter } from './ledger-writer.ts'
import { trackLowXid } from './low-xid.ts'
import { recordIdle } from './record-idle.ts'
import type { TermSettings } from './term-settings.ts'
import { requireAllThatIsMissing, type TrustedSlot } from './trusted-slot.ts'
import { WalStream } from './wal-stream.ts'

export interface WalContext {
  readonly client: pg.Client
  readonly settings: TermSettings
  readonly slot: TrustedSlot
  /** Called when the slot is streamed from. */
  readonly onStart: () => void
  readonly signal: AbortSignal
}

/**
 * Writes the ledger from the stream of a slot, from where the ledger ends until one of the two
 * connections ends or the term is aborted. Nothing of the stream is written before it is certain that it
 * leaves out nothing.
 *
 * @throws what ended it, unless it was aborted.
 */
export async function walTerm(context: WalContext): Promise<void> {
  const { client, settings, slot, onStart, signal } = context
  const term = new AbortController()
  const ended = AbortSignal.any([signal, term.signal])
  const writer = new LedgerWriter({
    client,
    names: settings.names,
    generation: slot.state.generation,
    position: slot.state.position,
    outboxPosition: slot.state.outboxPosition,
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
    statusIntervalMs: await statusInterval(client, settings.leaderSilenceMs),
    clientSilenceMs: settings.leaderSilenceMs,
    serverSilenceMs: settings.leaderSilenceMs * 6,
    onCommit: (commit) => {
      writer.push(commit)
      if (writer.waiting >= settings.maxWaiting) stream.pause()
    },
  })
  const started = Promise.withResolvers<void>()
  const write = async () => {
    await started.promise
    if (ended.aborted) return
    await requireAllThatIsMissing(client, slot)
    onStart()
    await untilFirstEnds(term, [
      writer.run(),
      trackLowXid(client, stream, writer, ended),
      recordIdle(client, settings.names.schema, slot, stream, ended),
    ])
  }
  const stop = () => {
    started.resolve()
    void stream.stop()
  }
  client.once('end', stop)
  ended.addEventListener('abort', stop, { once: true })
  if (ended.aborted) stop()
  try {
    await untilFirstEnds(term, [stream.run(started.resolve), write()])
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

async function statusInterval(client: pg.ClientBase, silenceMs: number): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    "select setting::integer as ms from pg_settings where name = 'wal_sender_timeout'",
  )
  const timeoutMs = Math.min(rows[0]?.ms || silenceMs, silenceMs)
  return Math.max(10, Math.min(nudgeMs, Math.floor(timeoutMs / 3)))
}
