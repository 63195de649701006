import { TidemarkError } from '../../src/core/tidemark-error.ts'
import type { OpenPublisher, OutboxMessage } from '../../src/index.ts'

/** A broker within this process that can be down, refuse messages, and lose its connection amid a batch. */
export class FakeBroker {
  /** What it took, in the order in which it did; some twice. */
  readonly taken: OutboxMessage[] = []
  readonly batches: number[] = []
  isDown = false
  /** Takes so many messages and then fails, once. */
  cutAfter: number | undefined
  isRefused: (message: OutboxMessage) => boolean = () => false
  closed = 0
  /** Until it resolves, what it is given waits. */
  gate: Promise<unknown> | undefined

  readonly open: OpenPublisher = async () => ({
    publish: async (messages, signal) => {
      signal.throwIfAborted()
      if (this.isDown) throw new Error('the broker is down')
      this.batches.push(messages.length)
      await this.gate
      for (const message of messages) {
        if (this.cutAfter === 0) {
          this.cutAfter = undefined
          throw new Error('the connection was cut')
        }
        if (this.cutAfter !== undefined) this.cutAfter -= 1
        if (this.isRefused(message)) {
          const details = { messageId: message.id, topic: message.topic, reason: 'not wanted' }
          throw new TidemarkError('MESSAGE_REFUSED', 'message is not wanted', { details })
        }
        this.taken.push(message)
      }
    },
    [Symbol.asyncDispose]: async () => {
      this.closed += 1
    },
  })

  /** The numbers in what it took, each at its first time, by key. */
  numbers(): Readonly<Record<string, readonly unknown[]>> {
    const ids = new Set<string>()
    const byKey: Record<string, unknown[]> = {}
    for (const { id, key, data } of this.taken) {
      if (ids.has(id)) continue
      ids.add(id)
      byKey[key ?? ''] = [...(byKey[key ?? ''] ?? []), data]
    }
    return byKey
  }
}
