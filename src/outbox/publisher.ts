import type { Json } from '../core/json.ts'

/** A message of the outbox as it is published. */
export interface OutboxMessage {
  /** The same at each attempt: what receivers tell duplicates by. */
  readonly id: string
  /** Place in the outbox's one order. */
  readonly position: bigint
  /** Words with dots between them: `orders.order.placed`. */
  readonly topic: string
  /** Messages of one key keep their order. */
  readonly key: string | null
  readonly data: Json
  /** `correlationId`, `causationId` and the user's own. */
  readonly headers: Readonly<Record<string, string>>
  readonly recordedAt: Date
}

/**
 * Where messages go. It connects when it is first needed, and again after it has lost its connection: a
 * call while there is no broker fails, and the next one tries anew.
 */
export interface Publisher extends AsyncDisposable {
  /**
   * Publishes messages in their order, and resolves when the broker has confirmed all of them. When it fails,
   * any of them may have been published, those after the one at fault too: whoever tries again publishes
   * them in the same order, with the same ids. One call at a time.
   *
   * @throws MESSAGE_REFUSED naming the message that the broker will never take: without it, try the others again.
   * @throws PUBLISH_FAILED or anything else: try the same messages again, not before `retryAfterMs` if it says so.
   * @throws OPERATION_CANCELLED when the signal comes.
   */
  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void>
}

/** What a publisher is told by who opens it. */
export interface PublisherContext {
  /** The `source` of its CloudEvents, a URI reference, unless the publisher names its own. */
  readonly source: string
}

/** Makes a publisher: what `rabbitmq({…})` and the others return. Reaches no broker yet. */
export type OpenPublisher = (context: PublisherContext) => Promise<Publisher>
