import type { Json } from '../core/json.ts'
import { optionInvalid } from '../core/option-invalid.ts'
import { messageRefused } from './message-refused.ts'
import type { OutboxMessage } from './publisher.ts'

/**
 * A message in the envelope that other systems know: CloudEvents 1.0,
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
 */
export interface CloudEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  /** The topic. */
  readonly type: string
  /** The key, when there is one. */
  readonly subject?: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly data: Json
  /** `position`, `partitionkey`, `correlationid`, `causationid` and the user's own headers. */
  readonly [extension: string]: Json
}

/** What a header may not be named as: attributes that the specification or tidemark fills. */
const reserved = new Set([
  ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype'],
  ...['dataschema', 'data', 'database64', 'position', 'partitionkey'],
])

/**
 * Puts a message into the envelope of CloudEvents. Headers become extension attributes, whose names are
 * of lower-case letters and digits only: `correlationId` becomes `correlationid`. The position is a
 * string, because an integer of CloudEvents has 32 bits.
 *
 * @param source a URI reference: with it, ids are unique.
 * @throws MESSAGE_REFUSED when the specification has no room for a header, the key or the topic.
 */
export function toCloudEvent(message: OutboxMessage, source: string): CloudEvent {
  checkSource(source)
  const { id, topic, key } = message
  const hasKey = key !== null && key !== ''
  if (topic === '') throw messageRefused(message, 'it has no topic')
  checkText(message, 'type', topic)
  if (hasKey) checkText(message, 'subject', key)
  return {
    specversion: '1.0',
    id,
    source,
    type: topic,
    ...(hasKey && { subject: key }),
    time: message.recordedAt.toISOString(),
    datacontenttype: 'application/json',
    position: String(message.position),
    ...(hasKey && { partitionkey: key }),
    ...extensions(message),
    data: message.data,
  }
}

/** Gives all attributes but `data` as text, in their order. */
export function attributesOf(event: CloudEvent): [name: string, value: string][] {
  return Object.entries(event)
    .filter(([name]) => name !== 'data')
    .map(([name, value]) => [name, String(value)])
}

// The characters of RFC 3986, section 2.
const uriReference = /^[\w!#$%&'()*+,\-./:;=?@[\]~]+$/

/** @throws OPTION_INVALID when it is no URI reference. */
export function checkSource(source: string): void {
  if (!uriReference.test(source)) {
    throw optionInvalid('source', `"${source}" is not a URI reference`)
  }
}

function extensions(message: OutboxMessage): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [header, value] of Object.entries(message.headers)) {
    const name = header.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
    if (name === '') throw messageRefused(message, `header "${header}" has no letter or digit`)
    if (reserved.has(name)) throw messageRefused(message, `header "${header}" is a name in use`)
    if (Object.hasOwn(found, name)) {
      throw messageRefused(message, `two headers would be the attribute "${name}"`)
    }
    checkText(message, name, value)
    found[name] = value
  }
  return found
}

// Control characters, half surrogates and what Unicode keeps for no character are not allowed in a
// String: section "Type System".
const disallowed = /[\p{Cc}\p{Cs}\p{NChar}]/u

function checkText(message: OutboxMessage, name: string, value: string): void {
  if (disallowed.test(value)) {
    throw messageRefused(
      message,
      `attribute "${name}" has characters that CloudEvents do not allow`,
    )
  }
}
