import {
  JetStreamApiError,
  type JetStreamClient,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import {
  type ConnectionOptions,
  connect,
  errors,
  type MsgHdrs,
  type NatsConnection,
  headers as newHeaders,
} from '@nats-io/transport-node'
import { checkSource } from '../cloud-event.ts'
import {
  type CloudEventMode,
  type EncodedMessage,
  encodeMessage,
  percentEncode,
} from '../encode-message.ts'
import { messageRefused } from '../message-refused.ts'
import type { OpenPublisher, OutboxMessage, Publisher } from '../publisher.ts'
import { attempt, within } from './attempt.ts'
import { KeptConnection } from './kept-connection.ts'
import { asPublishFailed, publishFailed } from './publish-failed.ts'
import { type Sending, sendInOrder } from './send-in-order.ts'

export interface NatsOptions {
  /** Servers and credentials, as NATS's own client takes them. */
  readonly connection: ConnectionOptions
  /** The stream that has to take the messages. It has to be there. */
  readonly stream: string
  /** What stands before the topic in the subject, with its dot. Default: nothing. */
  readonly subjectPrefix?: string
  /** Default `structured`. */
  readonly mode?: CloudEventMode
  /** `source` of the CloudEvents. Default: that of the relay. */
  readonly source?: string
  /** Messages that wait for their confirmation at once. Default 256. */
  readonly maxInFlight?: number
  /** Default 16 MiB. */
  readonly maxInFlightBytes?: number
  /** How long nothing may be confirmed before the connection is given up. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
}

const defaults = {
  subjectPrefix: '',
  mode: 'structured',
  maxInFlight: 256,
  maxInFlightBytes: 16 * 1024 * 1024,
  confirmTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
} as const

type Settings = Required<NatsOptions>

const broker = 'NATS'

/**
 * Publishes to a stream of JetStream, with the message's id as that by which the server tells duplicates
 * (https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive#message-deduplication): within
 * the stream's `duplicate_window` a message that is published again is stored once.
 */
export function nats(options: NatsOptions): OpenPublisher {
  return async ({ source }) => {
    const settings = { ...defaults, source, ...options }
    checkSource(settings.source)
    return new NatsPublisher(settings)
  }
}

interface Session {
  readonly connection: NatsConnection
  readonly client: JetStreamClient
}

class NatsPublisher implements Publisher {
  readonly #settings: Settings
  readonly #session: KeptConnection<Session>

  constructor(settings: Settings) {
    this.#settings = settings
    this.#session = new KeptConnection(broker, () => openSession(settings), closeSession)
  }

  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void> {
    return attempt(broker, signal, async () => {
      const end = this.#session.endOf(signal)
      const session = await this.#session.use(end)
      try {
        const send = (message: OutboxMessage) => this.#send(session, message)
        await sendInOrder(messages, send, { broker, ...this.#settings }, end)
      } catch (error) {
        // What fails without a word from the stream may be the connection's fault: a new one costs little.
        const isPublished = asPublishFailed(broker, error).code === 'PUBLISH_FAILED'
        if (isPublished && !signal.aborted) await this.#session.drop(session)
        throw error
      }
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session[Symbol.asyncDispose]()
  }

  #send({ client, connection }: Session, message: OutboxMessage): Sending {
    const { source, mode, stream, subjectPrefix, confirmTimeoutMs } = this.#settings
    const encoded = encodeMessage(message, {
      source,
      mode,
      prefix: 'ce-',
      encodeValue: percentEncode,
      maxMessageBytes: connection.info?.max_payload ?? Number.POSITIVE_INFINITY,
    })
    const subject = subjectPrefix + message.topic
    if (!isSubject.test(subject)) throw messageRefused(message, `"${subject}" is not a subject`)
    const sent = client.publish(subject, encoded.body, {
      msgID: message.id,
      expect: { streamName: stream },
      headers: headersOf(encoded),
      // The window notices silence first; this is only to leave nothing behind.
      timeout: 2 * confirmTimeoutMs,
    })
    const confirmed = sent.then(
      () => {},
      (error: unknown) => {
        throw explain(error, message, this.#settings)
      },
    )
    return { bytes: encoded.bytes, confirmed }
  }
}

// https://docs.nats.io/nats-concepts/subjects: words with dots between them; no blanks, no wildcards.
const isSubject = /^[^\s.*>]+(\.[^\s.*>]+)*$/

function headersOf({ contentType, headers }: EncodedMessage): MsgHdrs {
  const found = newHeaders()
  found.set('Content-Type', contentType)
  for (const [name, value] of Object.entries(headers)) found.set(name, value)
  return found
}

/** JetStream's code for a message over the stream's `max_msg_size`. */
const messageTooLarge = 10054

function explain(error: unknown, message: OutboxMessage, { stream }: Settings): unknown {
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.InvalidSubjectError) {
    return messageRefused(message, error.message, error)
  }
  if (error instanceof JetStreamApiError && error.code === messageTooLarge) {
    return messageRefused(message, error.message, error)
  }
  if (isUnanswered(error)) {
    const reason = `nobody takes topic "${message.topic}"; let stream "${stream}" have it among its subjects`
    return publishFailed(broker, reason, { cause: error })
  }
  return asPublishFailed(broker, error)
}

function isUnanswered(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof errors.RequestError && cause.isNoResponders()
}

async function openSession(settings: Settings): Promise<Session> {
  const { connectTimeoutMs, connection: options } = settings
  const connection = await connect({
    timeout: connectTimeoutMs,
    ...options,
    // A lost connection is the call's failure. To try again is the caller's part.
    reconnect: false,
    maxReconnectAttempts: 0,
  })
  const session = {
    connection,
    client: jetstream(connection, { timeout: settings.confirmTimeoutMs }),
  }
  try {
    await requireStream(session, settings)
    return session
  } catch (error) {
    await closeSession(session)
    throw error
  }
}

async function requireStream(session: Session, settings: Settings): Promise<void> {
  const { stream, connectTimeoutMs: timeout } = settings
  try {
    const manager = await jetstreamManager(session.connection, { timeout, checkAPI: false })
    await manager.streams.info(stream)
  } catch (error) {
    const { message } = error as Error
    throw publishFailed(broker, `stream "${stream}" is not to be had: ${message}`, { cause: error })
  }
}

/** How long a farewell may take. */
const closeTimeoutMs = 1_000

function closeSession({ connection }: Session): Promise<void> {
  return within(closeTimeoutMs, connection.close(), 'the connection does not close')
}
