import { TidemarkError } from '../core/tidemark-error.ts'
import { type Lsn, parseLsn } from './lsn.ts'

/** The messages of `pgoutput` that matter here, as pg-logical-replication gives them. */
export type WalMessage =
  | { readonly tag: 'begin'; readonly commitLsn: string | null }
  | { readonly tag: 'insert'; readonly relation: Relation; readonly new: Record<string, unknown> }
  | {
      readonly tag: 'commit'
      readonly commitLsn: string | null
      readonly commitEndLsn: string | null
      readonly commitTime: bigint
    }
  | { readonly tag: 'relation' | 'type' | 'origin' | 'message' | 'update' | 'delete' | 'truncate' }

interface Relation {
  readonly schema: string
  readonly name: string
}

/** One committed transaction that appended events. */
export interface WalCommit {
  readonly incarnation: string
  readonly transactionId: string
  readonly eventCount: number
  /** First byte after the commit record: what may be confirmed once the ledger row is durable. */
  readonly endLsn: Lsn
  /** Microseconds since 1970. */
  readonly committedAtUs: bigint
}

/** What a commit message ended: its end, and the commit if it appended events. */
export interface AssembledTransaction {
  readonly endLsn: Lsn
  readonly commit: WalCommit | undefined
}

interface OpenTransaction {
  incarnation: string
  transactionId: string
  eventCount: number
}

/**
 * Turns the stream of row messages into commits. Keeps a counter per open transaction, whatever its
 * size, and looks at nothing but commits for order: LSNs of rows and of Begin are neither unique nor
 * ascending across transactions.
 */
export class CommitAssembler {
  readonly #schema: string
  #open: OpenTransaction | undefined

  constructor(schema: string) {
    this.#schema = schema
  }

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
      case 'insert':
        this.#count(message.relation, message.new)
        return undefined
      case 'commit':
        return this.#commit(message.commitEndLsn, message.commitTime)
      default:
        return undefined
    }
  }

  #begin(): void {
    if (this.#open !== undefined) throw invalid('a transaction began inside another')
    this.#open = { incarnation: '', transactionId: '', eventCount: 0 }
  }

  #count(relation: Relation, row: Record<string, unknown>): void {
    const open = this.#open
    if (open === undefined) throw invalid('a row came outside a transaction')
    if (relation.name !== 'events' || relation.schema !== this.#schema) return
    const { incarnation, transaction_id } = row
    const transactionId = String(transaction_id)
    if (open.eventCount === 0) {
      open.incarnation = String(incarnation)
      open.transactionId = transactionId
    } else if (open.transactionId !== transactionId) {
      throw invalid(`one commit carries transactions ${open.transactionId} and ${transactionId}`)
    }
    open.eventCount += 1
  }

  #commit(end: string | null, committedAtUs: bigint): AssembledTransaction {
    const open = this.#open
    if (open === undefined || end === null) throw invalid('a commit came without its transaction')
    this.#open = undefined
    const endLsn = parseLsn(end)
    return {
      endLsn,
      commit: open.eventCount === 0 ? undefined : { ...open, endLsn, committedAtUs },
    }
  }
}

function invalid(reason: string): TidemarkError {
  return new TidemarkError(
    'REPLICATION_STREAM_INVALID',
    `the replication stream is invalid: ${reason}`,
    {
      details: { reason },
    },
  )
}
