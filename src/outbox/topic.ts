import type { StandardSchemaV1 } from '@standard-schema/spec'
import { validateData } from '../core/validate-data.ts'
import { checkTopic } from './topic-pattern.ts'

/** A message that is not published yet. */
export interface NewMessage {
  /** Words with dots between: `orders.order.placed`. */
  readonly topic: string
  readonly data: unknown
  /** Messages of one key are relayed in their order. Default: it depends on no other. */
  readonly key?: string | null
  /** Texts by name. */
  readonly headers?: Readonly<Record<string, string>>
  /** UUID by which receivers know a message that comes twice. Default: a new one. */
  readonly id?: string
}

export type NewMessageOptions = Pick<NewMessage, 'key' | 'headers' | 'id'>

/** A topic whose messages have a schema. Call it to make one. */
export interface Topic<Input = never> {
  /** @throws EVENT_DATA_INVALID when the schema refuses the data. Nothing was written. */
  (data: Input, options?: NewMessageOptions): NewMessage
  readonly topic: string
}

/**
 * Defines a topic: the public shape of its messages, checked when one is made.
 *
 * @param schema any Standard Schema that validates synchronously, such as a zod object.
 * @throws MESSAGE_INVALID when the name is not words with dots between.
 */
export function topic<S extends StandardSchemaV1>(
  name: string,
  schema: S,
): Topic<StandardSchemaV1.InferInput<S>> {
  checkTopic(name)
  const make = (data: unknown, options: NewMessageOptions = {}): NewMessage => ({
    ...options,
    topic: name,
    data: validateData(name, 1, schema, data),
  })
  return Object.assign(make, { topic: name })
}
