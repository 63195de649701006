import { isUuid } from '../core/is-uuid.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { newEventId } from '../store/new-event-id.ts'
import type { NewMessage } from './topic.ts'
import { checkTopic } from './topic-pattern.ts'

/** Messages as columns: what `publish_messages` takes. */
export type EncodedMessages = readonly [
  ids: readonly string[],
  topics: readonly string[],
  keys: readonly (string | null)[],
  data: readonly string[],
  headers: readonly (string | null)[],
]

/** As of events. */
export const maxMessageBytes = 1_048_576

/**
 * Checks messages and writes them as one array per column.
 *
 * @throws MESSAGE_INVALID, MESSAGE_TOO_LARGE
 */
export function encodeMessages(
  messages: readonly NewMessage[],
  maxBytes = maxMessageBytes,
): EncodedMessages {
  const encoded = messages.map((message) => encodeMessage(message, maxBytes))
  return [
    encoded.map(({ id }) => id),
    encoded.map(({ topic }) => topic),
    encoded.map(({ key }) => key),
    encoded.map(({ data }) => data),
    encoded.map(({ headers }) => headers),
  ]
}

function encodeMessage(message: NewMessage, maxBytes: number) {
  const { topic, key = null, headers = {}, id = newEventId() } = message
  checkTopic(topic)
  if (!isUuid(id)) throw invalid(topic, `its id "${id}" is no UUID`)
  if (key !== null && !isStorable(key)) throw invalid(topic, 'its key is not storable')
  for (const [name, value] of Object.entries(headers)) {
    const isText = typeof value === 'string' && isStorable(name) && isStorable(value)
    if (!isText) throw invalid(topic, `its header "${name}" is not a text that can be stored`)
  }
  const data = encodeData(topic, message.data)
  const text = Object.keys(headers).length === 0 ? null : JSON.stringify(headers)
  refuseLarge(topic, data, text ?? '', maxBytes)
  return { id, topic, key, data, headers: text }
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function encodeData(topic: string, data: unknown): string {
  let reason = 'its data is undefined, which JSON cannot hold'
  try {
    const text = JSON.stringify(data)
    if (text !== undefined) return text
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    reason = `its data cannot be written as JSON: ${text}`
  }
  throw invalid(topic, reason)
}

function refuseLarge(topic: string, data: string, headers: string, maxBytes: number): void {
  // No character takes more than three bytes: most messages need not be measured.
  if ((data.length + headers.length) * 3 <= maxBytes) return
  const bytes = Buffer.byteLength(data) + Buffer.byteLength(headers)
  if (bytes <= maxBytes) return
  throw new TidemarkError(
    'MESSAGE_TOO_LARGE',
    `message "${topic}" has ${bytes} bytes, at most ${maxBytes} are allowed: ` +
      'keep large contents elsewhere and refer to them',
    { details: { topic, bytes, maxBytes } },
  )
}

function invalid(topic: string, reason: string): TidemarkError {
  return new TidemarkError('MESSAGE_INVALID', `message "${topic}": ${reason}`, {
    details: { topic, reason },
  })
}
