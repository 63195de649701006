import { randomUUID } from 'node:crypto'
import type { OutboxMessage } from '../../src/outbox/publisher.ts'

let position = 0n

/** Makes a message; what is not given is made up. */
export function message(parts: Partial<OutboxMessage> = {}): OutboxMessage {
  position += 1n
  return {
    id: randomUUID(),
    position,
    topic: 'orders.order.placed',
    key: null,
    data: { number: String(position) },
    headers: { correlationId: randomUUID() },
    recordedAt: new Date('2026-01-02T03:04:05.678Z'),
    ...parts,
  }
}

/** Makes messages that divide among so many keys. */
export function messages(
  count: number,
  keys: number,
  parts: Partial<OutboxMessage> = {},
): OutboxMessage[] {
  return Array.from({ length: count }, (_, n) => message({ key: `key-${n % keys}`, ...parts }))
}

/** Has a message be so many bytes large, about. */
export function padding(bytes: number): Pick<OutboxMessage, 'data'> {
  return { data: { padding: 'x'.repeat(bytes) } }
}
