import type pg from 'pg'
import type { SequencedEvent } from '../core/recorded-event.ts'
import type { SubscriptionId } from './subscription-id.ts'

/** What a subscription does with the events of a run. */
export interface Subscriber {
  readonly id: SubscriptionId
  /** Event types to deliver. */
  readonly types: readonly string[]

  /**
   * Whether a chunk must be on disk before the next begins. Without, a crash of the server may take
   * back chunks together with their checkpoints; they are applied again. Right for rows that follow
   * from the log, wrong for what starts something outside.
   */
  readonly durable: boolean

  /**
   * Applies the events of a run, in order, in the transaction that also moves the checkpoint. Called
   * again with the same or with other events after a rollback.
   *
   * @throws HANDLER_FAILED for a handler of the user that threw; anything else is the database's.
   */
  apply(client: pg.ClientBase, events: readonly SequencedEvent[]): Promise<void>

  /** The last `apply` is durable. */
  committed(): void

  /** The last `apply` is void, or another process has applied events: forget what was cached. */
  reset(): void

  /** All events that the log held a moment ago are applied. Called once a process. */
  caughtUp?(): Promise<void>
}
