import { TidemarkError } from '../core/tidemark-error.ts'

/** The routing key of AMQP 0-9-1 is a short string: https://www.rabbitmq.com/amqp-0-9-1-reference */
const maxTopicBytes = 255

const word = /^[^.*#\s]+$/

/**
 * Tells whether a topic is one of those that a pattern stands for. In a pattern `*` stands for one word and
 * `#` for any number of words, also none, as in AMQP's topic exchanges; anything else for itself.
 */
export function topicMatches(topic: string, pattern: string): boolean {
  const words = topic.split('.')
  const parts = pattern.split('.')
  let [at, part] = [0, 0]
  // Where to go on with one word more, if what follows the last # does not fit.
  let retry: { at: number; readonly part: number } | undefined
  while (at < words.length) {
    if (parts[part] === '#') {
      part += 1
      retry = { at, part }
    } else if (part < parts.length && (parts[part] === '*' || parts[part] === words[at])) {
      at += 1
      part += 1
    } else if (retry !== undefined) {
      retry.at += 1
      ;({ at, part } = retry)
    } else {
      return false
    }
  }
  return parts.slice(part).every((rest) => rest === '#')
}

/**
 * Checks a topic: words with dots between, at most 255 bytes in all.
 *
 * @throws MESSAGE_INVALID
 */
export function checkTopic(topic: string): string {
  if (!topic.split('.').every((one) => word.test(one)) || !topic.isWellFormed()) {
    throw topicInvalid(topic, 'is not words with dots between, without *, # and spaces')
  }
  if (topic.includes('\0') || Buffer.byteLength(topic) > maxTopicBytes) {
    throw topicInvalid(topic, `has more than ${maxTopicBytes} bytes, or a zero`)
  }
  return topic
}

/**
 * Checks a pattern of topics.
 *
 * @throws DEFINITION_INVALID
 */
export function checkPattern(name: string, pattern: string): string {
  const isWhole = pattern.split('.').every((one) => one === '*' || one === '#' || word.test(one))
  if (isWhole) return pattern
  const reason = `"${pattern}" is no pattern of topics: orders.*.placed, orders.#`
  throw new TidemarkError('DEFINITION_INVALID', `"${name}": ${reason}`, {
    details: { name, reason },
  })
}

function topicInvalid(topic: string, what: string): TidemarkError {
  const reason = `topic "${topic.slice(0, maxTopicBytes)}" ${what}`
  return new TidemarkError('MESSAGE_INVALID', reason, { details: { topic, reason } })
}
