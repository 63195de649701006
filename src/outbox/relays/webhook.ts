import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { optionInvalid } from '../../core/option-invalid.ts'
import { checkSource } from '../cloud-event.ts'
import {
  type CloudEventMode,
  type EncodedMessage,
  encodeMessage,
  percentEncode,
} from '../encode-message.ts'
import { messageRefused } from '../message-refused.ts'
import type { OpenPublisher, OutboxMessage, Publisher } from '../publisher.ts'
import { attempt } from './attempt.ts'
import { publishFailed } from './publish-failed.ts'
import { readRetryAfter } from './retry-after.ts'
import { type Sending, sendInOrder } from './send-in-order.ts'
import { signWebhook, webhookKey } from './webhook-signature.ts'

export interface WebhookOptions {
  /** `https://…`: each message is a POST there. */
  readonly url: string
  /** Secrets to sign with, base64 of 24 to 64 bytes; several while one takes the place of another. */
  readonly secret: string | readonly string[]
  /** Headers besides. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default `structured`. */
  readonly mode?: CloudEventMode
  /** `source` of the CloudEvents. Default: that of the relay. */
  readonly source?: string
  /** Requests at once, of different keys. Default 8. */
  readonly maxInFlight?: number
  /** Larger messages are refused. Default 16 MiB. */
  readonly maxMessageBytes?: number
  /** How long one request may take, its answer included. Default 15,000. */
  readonly timeoutMs?: number
  /** Default: the clock. */
  readonly now?: () => Date
}

const defaults = {
  headers: {},
  mode: 'structured',
  maxInFlight: 8,
  maxMessageBytes: 16 * 1024 * 1024,
  timeoutMs: 15_000,
  now: () => new Date(),
} as const

type Settings = Required<Omit<WebhookOptions, 'secret'>> & { readonly secrets: readonly string[] }

const broker = 'the webhook'

/**
 * Posts each message to an address, signed as Standard Webhooks have it. An answer of 2xx confirms it. 408, 409, 425,
 * 429, 5xx, a redirect or none: it is tried again, not before `Retry-After`. Another 4xx refuses it.
 */
export function webhook(options: WebhookOptions): OpenPublisher {
  return async ({ source }) => {
    const { secret, ...rest } = options
    const settings = { ...defaults, source, ...rest, secrets: [secret].flat() }
    checkSource(settings.source)
    if (settings.secrets.length === 0) throw optionInvalid('secret', 'there is none')
    for (const one of settings.secrets) webhookKey(one)
    return new WebhookPublisher(settings)
  }
}

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly location: string | undefined
}

class WebhookPublisher implements Publisher {
  readonly #settings: Settings
  readonly #url: URL
  readonly #agent: HttpAgent
  readonly #disposed = new AbortController()
  /** Until when the receiver wants to be left alone. */
  #restUntil = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#url = webhookUrl(settings.url)
    const Agent = this.#url.protocol === 'https:' ? HttpsAgent : HttpAgent
    this.#agent = new Agent({ keepAlive: true, maxSockets: settings.maxInFlight })
  }

  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void> {
    return attempt(broker, signal, async () => {
      if (this.#disposed.signal.aborted) throw publishFailed(broker, 'the publisher is disposed of')
      const retryAfterMs = this.#restUntil - this.#settings.now().getTime()
      if (retryAfterMs > 0) {
        throw publishFailed(broker, `it asks for ${retryAfterMs} ms of rest`, { retryAfterMs })
      }
      const ended = new AbortController()
      const ending = AbortSignal.any([signal, this.#disposed.signal, ended.signal])
      try {
        const { maxInFlight, maxMessageBytes, timeoutMs } = this.#settings
        const limits = {
          broker,
          maxInFlight,
          maxInFlightBytes: maxMessageBytes,
          // Each request has a limit of its own; this one is never the first.
          confirmTimeoutMs: 2 * timeoutMs,
        }
        await sendInOrder(messages, (message) => this.#send(message, ending), limits, signal)
      } finally {
        ended.abort()
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new Error('the publisher is disposed of'))
    this.#agent.destroy()
  }

  #send(message: OutboxMessage, ending: AbortSignal): Sending {
    const { source, mode, maxMessageBytes } = this.#settings
    const encoded = encodeMessage(message, {
      source,
      mode,
      maxMessageBytes,
      prefix: 'ce-',
      encodeValue: percentEncode,
    })
    const answered = this.#post(encoded, ending)
    return {
      bytes: encoded.bytes,
      confirmed: answered.then((answer) => this.#judge(message, answer)),
    }
  }

  #post(encoded: EncodedMessage, ending: AbortSignal): Promise<Answer> {
    const { timeoutMs } = this.#settings
    const request = this.#url.protocol === 'https:' ? httpsRequest : httpRequest
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const posting = request(this.#url, {
      method: 'POST',
      agent: this.#agent,
      headers: this.#headers(encoded),
      signal: ending,
    })
    const timer = setTimeout(() => {
      posting.destroy(new Error(`no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    posting.on('error', reject)
    posting.on('response', (response) => readAnswer(response).then(resolve, reject))
    posting.end(encoded.body)
    return promise.finally(() => clearTimeout(timer))
  }

  #headers({
    message,
    contentType,
    headers,
    body,
  }: EncodedMessage): Record<string, string | number> {
    const { secrets, headers: own, now } = this.#settings
    const timestamp = Math.floor(now().getTime() / 1000)
    const signatures = secrets.map((secret) => signWebhook(secret, message.id, timestamp, body))
    return {
      'user-agent': 'tidemark',
      ...own,
      ...headers,
      'content-type': contentType,
      'content-length': body.length,
      'webhook-id': message.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    }
  }

  #judge(message: OutboxMessage, { status, retryAfter, location }: Answer): void {
    if (status >= 200 && status < 300) return
    if (isRefusal(status)) throw messageRefused(message, `the webhook answers ${status}`)
    const now = this.#settings.now()
    const retryAfterMs = readRetryAfter(retryAfter, now)
    if (retryAfterMs !== null) this.#restUntil = now.getTime() + retryAfterMs
    const to = location === undefined ? '' : ` to ${location}, which is not followed`
    throw publishFailed(broker, `it answers ${status}${to}`, { retryAfterMs })
  }
}

/** Answers of 4xx that another try may change: time-out, conflict, too early, too many. */
const passing = new Set([408, 409, 425, 429])

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && !passing.has(status)
}

/** Waits for the end of an answer, whose body nobody reads. */
async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const { statusCode = 0, headers } = response
  for await (const _ of response.iterator());
  return { status: statusCode, retryAfter: headers['retry-after'], location: headers.location }
}

function webhookUrl(url: string): URL {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw optionInvalid('url', `"${url}" is not an address of http or https`)
  }
  return parsed
}
