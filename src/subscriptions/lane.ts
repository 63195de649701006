import type pg from 'pg'
import type { SequencedEvent } from '../core/recorded-event.ts'

/** A run of the log as it is applied. */
export interface Chunk {
  /** Position that the chunk follows. */
  readonly after: bigint
  /** Position at which it ends. */
  readonly upto: bigint
  /**
   * The events of the subscriber's types, in order, in the newest shape of their type. Null when they
   * stay in the server, because every lane reads them there.
   */
  readonly events: readonly SequencedEvent[] | null
  /**
   * Insert ids of the events while a projection is applied inline: by the transaction that appends them, so
   * that they have no positions yet.
   */
  readonly appended?: readonly string[]
}

/**
 * A part of a subscriber that depends on no other part of it, such as one fold of a projection. All
 * lanes of a subscriber share its checkpoint.
 */
export interface Lane {
  /** Unique within its subscriber, and kept from one release to the next. */
  readonly name: string

  /**
   * Names what must see the events that concern it in order: events of different keys do not depend on
   * each other. Null when the event does not concern this lane.
   *
   * @throws HANDLER_FAILED for a handler of the user that threw.
   */
  keyOf(event: SequencedEvent): string | null

  /**
   * Applies a chunk, in the transaction that also moves the checkpoint. Called again with the same or
   * with another chunk after a rollback.
   *
   * @throws HANDLER_FAILED for a handler of the user that threw; anything else is the database's.
   */
  apply(client: pg.ClientBase, chunk: Chunk): Promise<void>

  /** The last `apply` is durable. */
  committed(): void

  /** The last `apply` is void, or another process has applied events: forget what was cached. */
  reset(): void
}
