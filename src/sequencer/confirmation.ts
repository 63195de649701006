import type { Lsn } from './lsn.ts'

/**
 * Decides what may be confirmed to the server: the exact end of a commit whose ledger row is
 * durable, or a keepalive's position while nothing received is pending. Never one byte more: the
 * server skips a transaction whose commit record starts before the confirmed position, and the next
 * commit record may start exactly at the end of the last.
 */
export class Confirmation {
  #confirmed: Lsn
  #pending = 0

  /** @param start the slot's confirmed position, or where the ledger ends if that is later. */
  constructor(start: Lsn) {
    this.#confirmed = start
  }

  /** What may be confirmed now. Ascends. */
  get lsn(): Lsn {
    return this.#confirmed
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
    this.#advance(endLsn)
  }

  /**
   * The server is at `lsn` and no transaction is half received: a keepalive, or a commit without
   * events. Confirming it is what lets an idle slot release WAL while other tables are written.
   */
  idle(lsn: Lsn): void {
    if (this.#pending === 0) this.#advance(lsn)
  }

  #advance(lsn: Lsn): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn
  }
}
