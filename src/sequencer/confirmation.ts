import type { Lsn } from './lsn.ts'

/**
 * Decides what may be confirmed to the server: the exact end of a commit whose ledger row is
 * durable, or a keepalive's position that came while nothing received was pending and is recorded. Never
 * one byte more: the server skips a transaction whose commit record starts before the confirmed
 * position, and the next commit record may start exactly at the end of the last.
 *
 * Nothing is confirmed that is not recorded in the sequencer's row, so that a slot which is confirmed
 * for more is known as one that somebody else has made.
 */
export class Confirmation {
  #confirmed: Lsn
  #reached: Lsn
  #pending = 0

  /** @param start what is recorded. */
  constructor(start: Lsn) {
    this.#confirmed = start
    this.#reached = start
  }

  /** What may be confirmed now. Ascends. */
  get lsn(): Lsn {
    return this.#confirmed
  }

  /** How far the stream has come: everything before is in the ledger or has no events. Ascends. */
  get reached(): Lsn {
    return this.#reached
  }

  /** Commits that were received and whose ledger rows are not durable yet. */
  get pending(): number {
    return this.#pending
  }

  /** A commit with events was received. */
  received(): void {
    this.#pending += 1
  }

  /** The ledger rows of the oldest `count` pending commits are durable; the last ends at `endLsn`. */
  durable(count: number, endLsn: Lsn): void {
    this.#pending -= count
    if (endLsn > this.#reached) this.#reached = endLsn
    this.recorded(endLsn)
  }

  /**
   * The server is at `lsn` and no transaction is half received: a keepalive, or a commit without
   * events.
   */
  idle(lsn: Lsn): void {
    if (this.#pending === 0 && lsn > this.#reached) this.#reached = lsn
  }

  /**
   * It is on disk that the stream has come to `lsn`. Confirming it is what lets an idle slot release WAL
   * while other tables are written.
   */
  recorded(lsn: Lsn): void {
    if (lsn > this.#confirmed && lsn <= this.#reached) this.#confirmed = lsn
  }
}
