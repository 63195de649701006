import { attributesOf, toCloudEvent } from './cloud-event.ts'
import { messageRefused } from './message-refused.ts'
import type { OutboxMessage } from './publisher.ts'

/** How an envelope travels: as one JSON document, or its attributes as headers and its data as the body. */
export type CloudEventMode = 'structured' | 'binary'

export interface EncodeOptions {
  readonly source: string
  readonly mode: CloudEventMode
  /** What the protocol's binding puts before the names of attributes: `ce-`. */
  readonly prefix: string
  /** Makes a value one that a header can have. */
  readonly encodeValue?: (value: string) => string
  readonly maxMessageBytes: number
}

/** A message as it travels. */
export interface EncodedMessage {
  readonly message: OutboxMessage
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Of body and headers. */
  readonly bytes: number
}

/** What is said of a structured message, which is one JSON document. */
export const structuredContentType = 'application/cloudevents+json; charset=utf-8'

/**
 * Makes the bytes of a message.
 *
 * @throws MESSAGE_REFUSED when it is too large, or CloudEvents have no room for it.
 */
export function encodeMessage(message: OutboxMessage, options: EncodeOptions): EncodedMessage {
  const encoded =
    options.mode === 'binary' ? binary(message, options) : structured(message, options)
  if (encoded.bytes > options.maxMessageBytes) {
    throw messageRefused(
      message,
      `it has ${encoded.bytes} bytes, more than ${options.maxMessageBytes}`,
    )
  }
  return encoded
}

function structured(message: OutboxMessage, { source }: EncodeOptions): EncodedMessage {
  const body = Buffer.from(JSON.stringify(toCloudEvent(message, source)))
  return {
    message,
    contentType: structuredContentType,
    headers: {},
    body,
    bytes: body.length,
  }
}

function binary(message: OutboxMessage, options: EncodeOptions): EncodedMessage {
  const event = toCloudEvent(message, options.source)
  const encodeValue = options.encodeValue ?? ((value: string) => value)
  const headers = attributesOf(event)
    .filter(([name]) => name !== 'datacontenttype')
    .map(([name, value]) => [options.prefix + name, encodeValue(value)] as const)
  const body = Buffer.from(JSON.stringify(event.data))
  const bytes = headers.reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value),
    body.length,
  )
  return {
    message,
    contentType: event.datacontenttype,
    headers: Object.fromEntries(headers),
    body,
    bytes,
  }
}

/**
 * Percent-encodes what a header of HTTP cannot hold, and the characters that the binding names:
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md, section 3.1.3.2.
 */
export function percentEncode(value: string): string {
  return value.replaceAll(/[^\x21-\x7e]|["%]/gu, (character) =>
    Buffer.from(character).reduce(
      (text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  )
}
