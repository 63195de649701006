import type { ParkedMessage, ParkedMessageKey } from '../outbox/parked-messages.ts'
import { formatCount, oneLine } from './format.ts'
import { makeTable, short } from './parked-text.ts'

/** Lists the keys that relays have parked, for people. */
export function parkedMessageKeysText(keys: readonly ParkedMessageKey[]): string {
  const table = makeTable(['relay', 'key', 'messages', 'first', 'topic', 'attempts', 'error'])
  table.push(
    ...keys.map(({ name, key, messages, retried, first }) => [
      oneLine(name),
      short(key ?? ''),
      formatCount(messages),
      formatCount(first.position),
      oneLine(first.topic),
      formatCount(first.attempts),
      retried > 0 ? 'is tried once more' : short(first.error?.message ?? 'waits'),
    ]),
  )
  return table.toString()
}

/** Says all that is known of parked messages, for people. */
export function parkedMessagesText(messages: readonly ParkedMessage[]): string {
  return messages.map(parkedMessageText).join('\n\n')
}

function parkedMessageText(message: ParkedMessage): string {
  const { relay, key, position, messageId, topic, attempts, error, data, headers } = message
  const why = error === null ? 'waits behind another of its key' : error.message
  const state = message.isRetried ? 'is tried once more' : `${formatCount(attempts)} attempts`
  return [
    `message ${messageId} at position ${formatCount(position)} of the outbox, relay "${relay}"`,
    `topic ${topic}${key === null ? '' : `, key "${key}"`}: ${state}; ${why}`,
    `parked ${message.parkedAt.toISOString()}, published ${message.recordedAt.toISOString()}`,
    `headers: ${JSON.stringify(headers)}`,
    `data: ${JSON.stringify(data)}`,
  ]
    .map(oneLine)
    .join('\n')
}
