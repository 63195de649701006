import { invalidStream } from './invalid-stream.ts'
import type { Lsn } from './lsn.ts'

/** The messages of the replication stream, as far as they matter here. */
export type WalMessage =
  | { readonly tag: 'begin' }
  | { readonly tag: 'event'; readonly incarnation: string; readonly transactionId: string }
  /** A row of the outbox. */
  | { readonly tag: 'message'; readonly incarnation: string; readonly transactionId: string }
  /** A row of another table. */
  | { readonly tag: 'foreign-row' }
  | { readonly tag: 'commit'; readonly endLsn: Lsn; readonly committedAtUs: bigint }
  | { readonly tag: 'other' }

/** One committed transaction that appended events, published messages, or did both. */
export interface WalCommit {
  readonly incarnation: string
  readonly transactionId: string
  readonly eventCount: number
  readonly messageCount: number
  /** First byte after the commit record: what may be confirmed once the ledger row is durable. */
  readonly endLsn: Lsn
  /** Microseconds since 1970. */
  readonly committedAtUs: bigint
}

/** What a commit message ended: its end, and the commit if it appended or published. */
export interface AssembledTransaction {
  readonly endLsn: Lsn
  readonly commit: WalCommit | undefined
}

interface OpenTransaction {
  incarnation: string
  transactionId: string
  eventCount: number
  messageCount: number
}

/**
 * Turns the stream of row messages into commits. Keeps a counter per open transaction, whatever its
 * size, and looks at nothing but commits for order: LSNs of rows and of Begin are neither unique nor
 * ascending across transactions.
 */
export class CommitAssembler {
  #open: OpenTransaction | undefined

  /** Whether a transaction has begun whose commit has not been seen yet. */
  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /**
   * Takes the next message.
   *
   * @returns what it ended, when it is a commit.
   * @throws REPLICATION_STREAM_INVALID when the messages make no sense: nothing may be guessed.
   */
  take(message: WalMessage): AssembledTransaction | undefined {
    switch (message.tag) {
      case 'begin':
        this.#begin()
        return undefined
      case 'event':
        this.#join(message.incarnation, message.transactionId).eventCount += 1
        return undefined
      case 'message':
        this.#join(message.incarnation, message.transactionId).messageCount += 1
        return undefined
      case 'foreign-row':
        this.#requireOpen()
        return undefined
      case 'commit':
        return this.#commit(message.endLsn, message.committedAtUs)
      default:
        return undefined
    }
  }

  #begin(): void {
    if (this.#open !== undefined) throw invalidStream('a transaction began inside another')
    this.#open = { incarnation: '', transactionId: '', eventCount: 0, messageCount: 0 }
  }

  #requireOpen(): OpenTransaction {
    if (this.#open === undefined) throw invalidStream('a row came outside a transaction')
    return this.#open
  }

  /** @returns the open transaction, which the row says to be of. */
  #join(incarnation: string, transactionId: string): OpenTransaction {
    const open = this.#requireOpen()
    if (open.transactionId === '') {
      open.incarnation = incarnation
      open.transactionId = transactionId
    } else if (open.transactionId !== transactionId) {
      throw invalidStream(
        `one commit carries transactions ${open.transactionId} and ${transactionId}`,
      )
    }
    return open
  }

  #commit(endLsn: Lsn, committedAtUs: bigint): AssembledTransaction {
    const open = this.#open
    if (open === undefined) throw invalidStream('a commit came without its transaction')
    this.#open = undefined
    return {
      endLsn,
      commit: open.transactionId === '' ? undefined : { ...open, endLsn, committedAtUs },
    }
  }
}
