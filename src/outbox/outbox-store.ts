import type { Cause } from '../core/causation.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { publishMessages } from './publish.ts'
import type { NewMessage, NewMessageOptions, Topic } from './topic.ts'

export interface PublishOptions extends NewMessageOptions {
  /** The event, command or request that led to it: sets the headers correlationId and causationId. */
  readonly causedBy?: Cause
}

/** The part of a store that publishes. */
export interface OutboxStore {
  /**
   * Publishes a message in the caller's transaction: it is relayed if and when that commits, in the order of
   * commits, and not at all when it is rolled back.
   *
   * @param tx a `pg` client or a Kysely transaction; null: a transaction of its own.
   * @param topic words with dots between, or a topic that was defined with a schema.
   * @returns the message's id.
   * @throws MESSAGE_INVALID, MESSAGE_TOO_LARGE, and of a topic EVENT_DATA_INVALID; nothing was written.
   * @example
   * await store.publish(tx, 'orders.order.placed', { orderId }, { key: orderId })
   */
  publish<Input>(
    tx: Connection | null,
    topic: string | Topic<Input>,
    message: Input,
    options?: PublishOptions,
  ): Promise<string>

  /** Publishes several messages, in their order, all or none. Throws as {@link OutboxStore.publish}. */
  publishMany(tx: Connection | null, messages: readonly NewMessage[]): Promise<readonly string[]>
}

/** Makes the part of a store that publishes. */
export function outboxStore(connection: Connection, names: LogNames): OutboxStore {
  const publishMany: OutboxStore['publishMany'] = (tx, messages) =>
    publishMessages(tx ?? connection, names, messages)
  return {
    publishMany,
    publish: async (tx, topic, data, { causedBy, ...options } = {}) => {
      const message = typeof topic === 'string' ? { ...options, topic, data } : topic(data, options)
      const headers = { ...(causedBy && causalHeaders(causedBy)), ...message.headers }
      const [id = ''] = await publishMany(tx, [{ ...message, headers }])
      return id
    },
  }
}

/** What correlates a message with its cause. */
export function causalHeaders({ id, metadata }: Cause): Readonly<Record<string, string>> {
  const { correlationId } = metadata ?? {}
  return {
    correlationId: typeof correlationId === 'string' ? correlationId : id,
    causationId: id,
  }
}
