import type { EncodedMessage } from '../encode-message.ts'
import type { OutboxMessage } from '../publisher.ts'

export interface BatchLimits {
  readonly batchSize: number
  readonly maxBatchBytes: number
}

/**
 * Divides messages into batches that follow each other. They are encoded when their batch is asked for. When one
 * is refused, those before it are a batch of their own, and the refusal comes after it.
 */
export function* splitBatch(
  messages: readonly OutboxMessage[],
  encode: (message: OutboxMessage) => EncodedMessage,
  { batchSize, maxBatchBytes }: BatchLimits,
): Generator<readonly EncodedMessage[], void> {
  let batch: EncodedMessage[] = []
  let bytes = 0
  for (const message of messages) {
    let encoded: EncodedMessage
    try {
      encoded = encode(message)
    } catch (refusal) {
      if (batch.length > 0) yield batch
      throw refusal
    }
    if (batch.length > 0 && (batch.length >= batchSize || bytes + encoded.bytes > maxBatchBytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(encoded)
    bytes += encoded.bytes
  }
  if (batch.length > 0) yield batch
}
