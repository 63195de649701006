import { Socket } from 'node:net'
import type { LogicalReplicationService } from 'pg-logical-replication'
import { failpoint } from '../core/failpoint.ts'
import { keepAliveDelayMs } from '../db/connect.ts'
import { watchSilence } from '../db/session/watch-silence.ts'
import { CommitAssembler, type WalCommit } from './commit-assembler.ts'
import { Confirmation } from './confirmation.ts'
import { type DecodedMessage, EventsPlugin } from './events-plugin.ts'
import { formatLsn, type Lsn, parseLsn } from './lsn.ts'
import { replicationService } from './replication-service.ts'

export interface WalStreamOptions {
  readonly connectionString: string
  readonly slot: string
  readonly publication: string
  readonly schema: string
  /** Commits that end at or before this are in the ledger and are dropped. */
  readonly startLsn: Lsn
  /** How often the server hears from us: at most a third of its `wal_sender_timeout`. */
  readonly statusIntervalMs: number
  /**
   * After how much silence from us the server ends the stream, whatever its own `wal_sender_timeout` is. A
   * server that shuts down waits as long for a process that does not answer. Default 5,000.
   */
  readonly clientSilenceMs?: number
  /**
   * How long the server may take to answer: more than `clientSilenceMs`, because amid a large transaction
   * it answers only twice in that time. Default 30,000.
   */
  readonly serverSilenceMs?: number
  readonly onCommit: (commit: WalCommit) => void
}

const defaults = { clientSilenceMs: 5_000, serverSilenceMs: 30_000 }

/** How long a connection may take to end before it is cut off. */
const endTimeoutMs = 1_000

/** The parts of the library's service that are not typed as public. */
interface ServiceInternals {
  readonly _connection: {
    readonly stream: { pause(): void; resume(): void }
  } | null
}

/**
 * Listens to one slot on one connection, from `run` until that ends. Never reused: a new stream is
 * made for each connection.
 */
export class WalStream {
  readonly #options: WalStreamOptions
  readonly #service: LogicalReplicationService
  readonly #assembler: CommitAssembler
  readonly #confirmation: Confirmation
  #failure: unknown
  #stopped = false
  #isStarted = false
  #isPaused = false
  #socket: Socket | undefined
  readonly #closed = Promise.withResolvers<void>()

  constructor(options: WalStreamOptions) {
    this.#options = options
    this.#assembler = new CommitAssembler()
    this.#confirmation = new Confirmation(options.startLsn)
    this.#service = replicationService({
      connectionString: options.connectionString,
      application_name: 'tidemark sequencer (wal)',
      connectionTimeoutMillis: 10_000,
      options: `-c wal_sender_timeout=${options.clientSilenceMs ?? defaults.clientSilenceMs}`,
      stream: () => this.#openSocket(),
    })
  }

  /** How far this stream has come: everything before is in the ledger or has no events. */
  get lsn(): Lsn {
    return this.#confirmation.reached
  }

  /** What was confirmed to the server. */
  get confirmedLsn(): Lsn {
    return this.#confirmation.lsn
  }

  /**
   * Streams commits until the connection ends or `stop` is called.
   *
   * @param onStart called when the server has accepted the slot.
   * @throws what ended the stream, unless it was `stop`.
   */
  async run(onStart: () => void): Promise<void> {
    const { slot, publication, schema, startLsn, statusIntervalMs } = this.#options
    this.#service.on('error', (error: unknown) => this.#fail(error))
    this.#service.on('start', () => {
      this.#isStarted = true
      if (this.#stopped) this.#socket?.destroy()
      else onStart()
    })
    this.#service.on('data', (_lsn, message: DecodedMessage) => this.#take(message))
    this.#service.on('heartbeat', (lsn, _at, shouldRespond) => this.#keepalive(lsn, shouldRespond))
    if (this.#stopped) return
    const status = setInterval(() => this.#confirm(), statusIntervalMs)
    const endWatch = this.#watch()
    try {
      const plugin = new EventsPlugin(publication, schema)
      // The library does not notice each way in which its connection can end; the socket does.
      await Promise.race([
        this.#service.subscribe(plugin, slot, formatLsn(startLsn)),
        this.#closed.promise.then(() => Promise.reject(new Error('the connection was closed'))),
      ])
    } catch (error) {
      if (!this.#stopped) this.#failure ??= error
    } finally {
      clearInterval(status)
      endWatch()
      await this.stop()
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Says that the ledger rows of the oldest `count` commits are durable, and confirms them. */
  durable(count: number, endLsn: Lsn): void {
    this.#confirmation.durable(count, endLsn)
    this.#confirm()
  }

  /** Says that it is on disk how far the stream had come, and confirms it. */
  recorded(lsn: Lsn): void {
    this.#confirmation.recorded(lsn)
    this.#confirm()
  }

  /** Stops reading from the server, so that memory stays bounded while the ledger is written. */
  pause(): void {
    this.#isPaused = true
    this.#internals?.stream.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#internals?.stream.resume()
  }

  /** Ends the connection. Safe to call twice. A peer that does not answer is cut off. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const socket = this.#socket
    if (socket === undefined) return
    // While the library connects, its own stop would miss the connection and leave it streaming.
    if (this.#isStarted) this.#service.stop().catch(() => {})
    else socket.destroy()
    const cut = setTimeout(() => socket.destroy(), endTimeoutMs)
    await this.#closed.promise
    clearTimeout(cut)
  }

  #openSocket(): Socket {
    const socket = new Socket()
    socket.setKeepAlive(true, keepAliveDelayMs)
    socket.once('close', () => this.#closed.resolve())
    this.#socket = socket
    if (this.#stopped) setImmediate(() => socket.destroy())
    return socket
  }

  get #internals(): ServiceInternals['_connection'] {
    return (this.#service as unknown as ServiceInternals)._connection
  }

  #take(message: DecodedMessage): void {
    if (this.#failure !== undefined) return
    try {
      if (message.tag === 'undecodable') throw message.error
      const ended = this.#assembler.take(message)
      if (ended === undefined) return
      if (ended.commit === undefined) this.#confirmation.idle(ended.endLsn)
      else if (ended.endLsn > this.#options.startLsn) this.#receive(ended.commit)
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(commit: WalCommit): void {
    failpoint('commit-received')
    this.#confirmation.received()
    this.#options.onCommit(commit)
  }

  #keepalive(walEnd: string, shouldRespond: boolean): void {
    if (!this.#assembler.isOpen) this.#confirmation.idle(parseLsn(walEnd))
    if (shouldRespond) this.#confirm()
  }

  /**
   * The library adds one to what it is given, so that it is given one less.
   *
   * @param mustAnswer Whether the server is to answer at once.
   */
  #confirm(mustAnswer = false): void {
    const exact = formatLsn(this.#confirmation.lsn - 1n)
    this.#service.acknowledge(exact, mustAnswer).catch((error: unknown) => this.#fail(error))
  }

  /** The server says nothing by itself while nothing is written, unless it has a `wal_sender_timeout`. */
  #watch(): () => void {
    const giveUpAfterMs = this.#options.serverSilenceMs ?? defaults.serverSilenceMs
    return watchSilence(
      {
        bytesRead: () => this.#socket?.bytesRead ?? 0,
        isPaused: () => this.#isPaused,
        ask: () => this.#confirm(true),
        giveUp: (error) => this.#fail(error),
      },
      { everyMs: giveUpAfterMs / 6, askAfterMs: giveUpAfterMs / 6, giveUpAfterMs },
    )
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.stop().catch(() => {})
  }
}
