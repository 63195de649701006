import type pg from 'pg'
import { failpoint } from '../core/failpoint.ts'
import type { LogNames } from '../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'
import { pause } from '../db/wait.ts'
import type { WalCommit } from './commit-assembler.ts'
import { formatLsn, type Lsn } from './lsn.ts'
import { superseded } from './sequencer-state.ts'

export interface LedgerWriterOptions {
  readonly client: pg.ClientBase
  readonly names: LogNames
  readonly generation: bigint
  readonly position: bigint
  readonly outboxPosition: bigint
  /** Commits in one statement. */
  readonly maxBatch: number
  readonly signal: AbortSignal
  /** The oldest `count` commits are durable in the ledger; the last one ends at `endLsn`. */
  readonly onDurable: (count: number, endLsn: Lsn) => void
}

interface WrittenRow {
  readonly sequenced: number
  readonly last_position: string
  readonly last_outbox_position: string
}

/** How long to wait for a commit that the WAL delivered and no snapshot shows yet. */
const visibilityPauseMs = { first: 1, longest: 100 }

/**
 * Writes commits into the ledger in the order in which they were pushed, as many as are waiting in
 * one statement. Each statement is its own transaction and moves the position by compare-and-set,
 * so that a leader which was superseded writes nothing.
 */
export class LedgerWriter {
  readonly #options: LedgerWriterOptions
  readonly #queue: WalCommit[] = []
  #position: bigint
  #outboxPosition: bigint
  #lowXid: string | null = null
  #wake: () => void = () => {}

  constructor(options: LedgerWriterOptions) {
    this.#options = options
    this.#position = options.position
    this.#outboxPosition = options.outboxPosition
  }

  /** Commits that wait to be written. */
  get waiting(): number {
    return this.#queue.length
  }

  push(commit: WalCommit): void {
    this.#queue.push(commit)
    this.#wake()
  }

  /** Stores, with the next commits, that all transactions below are finished and sequenced. */
  setLowXid(xid: string): void {
    this.#lowXid = xid
  }

  /**
   * Writes until aborted.
   *
   * @throws SEQUENCER_SUPERSEDED when another leader has taken over, and whatever ends the
   *   connection. What was pushed and not written is delivered again by the slot.
   */
  async run(): Promise<void> {
    const { signal } = this.#options
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort)
    let pauseMs = visibilityPauseMs.first
    try {
      while (!signal.aborted) {
        if (this.#queue.length === 0) {
          await this.#pushed()
          continue
        }
        if ((await this.#write()) > 0) {
          pauseMs = visibilityPauseMs.first
        } else {
          await pause(pauseMs, signal)
          pauseMs = Math.min(pauseMs * 2, visibilityPauseMs.longest)
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Resolves after the messages of one network packet, so that they go into one statement. */
  #pushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => setImmediate(resolve)
      if (this.#options.signal.aborted) this.#wake()
    })
  }

  async #write(): Promise<number> {
    const { client, generation, names, maxBatch } = this.#options
    const batch = this.#queue.slice(0, maxBatch)
    const lowXid = this.#lowXid
    try {
      const answer = client.query<WrittenRow>({
        name: 'tidemark-sequence-commits',
        text: /* sql */ `
          select sequenced, last_position::text, last_outbox_position::text
          from ${names.schema}.sequence_commits(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
          )`,
        values: [
          generation.toString(),
          this.#position.toString(),
          arrayLiteral(batch.map((commit) => commit.incarnation)),
          arrayLiteral(batch.map((commit) => commit.transactionId)),
          arrayLiteral(batch.map((commit) => commit.eventCount)),
          arrayLiteral(batch.map((commit) => formatLsn(commit.endLsn))),
          arrayLiteral(timestamps(batch.map((commit) => commit.committedAtUs))),
          lowXid,
          names.channel,
          names.publication,
          messageCounts(batch),
          this.#outboxPosition.toString(),
        ],
      })
      failpoint('ledger-sent')
      const { rows } = await answer
      const row = rows[0]
      if (row === undefined || row.sequenced === 0) return 0
      this.#written(row, lowXid)
      return row.sequenced
    } catch (error) {
      throw this.#superseded(error)
    }
  }

  #written(row: WrittenRow, lowXid: string | null): void {
    failpoint('ledger-written')
    if (this.#lowXid === lowXid) this.#lowXid = null
    this.#position = BigInt(row.last_position)
    this.#outboxPosition = BigInt(row.last_outbox_position)
    const last = this.#queue.splice(0, row.sequenced).at(-1)
    if (last !== undefined) this.#options.onDurable(row.sequenced, last.endLsn)
  }

  #superseded(error: unknown): unknown {
    if (sqlstateOf(error) !== sqlstate.sequencerSuperseded) return error
    return superseded(this.#options.generation, this.#position, error)
  }
}

/** Of values that need no quotes. The driver looks at each for whether it does: a third of a commit's cost. */
function arrayLiteral(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`
}

/** Null where nobody published, so that the outbox costs nothing. */
function messageCounts(batch: readonly WalCommit[]): string | null {
  if (batch.every((commit) => commit.messageCount === 0)) return null
  return arrayLiteral(batch.map((commit) => commit.messageCount))
}

/** Formats times in microseconds since 1970. Those of one second differ in their last digits alone. */
function timestamps(times: readonly bigint[]): string[] {
  let second = -1n
  let text = ''
  return times.map((us) => {
    if (us / 1_000_000n !== second) {
      second = us / 1_000_000n
      text = new Date(Number(second) * 1_000).toISOString().slice(0, 19)
    }
    return `${text}.${(us % 1_000_000n).toString().padStart(6, '0')}Z`
  })
}
