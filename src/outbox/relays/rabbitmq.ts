import amqp, { type ChannelModel, type ConfirmChannel, type Options } from 'amqplib'
import { checkSource } from '../cloud-event.ts'
import { type CloudEventMode, type EncodedMessage, encodeMessage } from '../encode-message.ts'
import { messageRefused } from '../message-refused.ts'
import type { OpenPublisher, OutboxMessage, Publisher } from '../publisher.ts'
import { attempt, within } from './attempt.ts'
import { KeptConnection } from './kept-connection.ts'
import { asPublishFailed, publishFailed } from './publish-failed.ts'
import { type Sending, sendInOrder } from './send-in-order.ts'

export interface RabbitMQOptions {
  /** `amqp://` or `amqps://`, or the parts of one. */
  readonly url: string | Options.Connect
  /** The topic exchange that messages go to, with their topic as routing key. */
  readonly exchange: string
  /** Whether the exchange is declared, durable, at each connection; without, it has to be there. Default true. */
  readonly declare?: boolean
  /**
   * What becomes of a message whose topic no queue is bound to. `refuse`: it is refused, and stays in the
   * outbox. `drop`: RabbitMQ throws it away, as it does for events that nobody need hear. Default `refuse`.
   */
  readonly unroutable?: 'refuse' | 'drop'
  /** Default `structured`. */
  readonly mode?: CloudEventMode
  /** `source` of the CloudEvents. Default: that of the relay. */
  readonly source?: string
  /** Messages that wait for their confirmation at once. Default 256. */
  readonly maxInFlight?: number
  /** Default 16 MiB. */
  readonly maxInFlightBytes?: number
  /** Larger messages are refused. Default 16 MiB, RabbitMQ's own limit since 4.0. */
  readonly maxMessageBytes?: number
  /** How long nothing may be confirmed before the connection is given up. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
}

const defaults = {
  declare: true,
  unroutable: 'refuse',
  mode: 'structured',
  maxInFlight: 256,
  maxInFlightBytes: 16 * 1024 * 1024,
  maxMessageBytes: 16 * 1024 * 1024,
  confirmTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
} as const

type Settings = Required<RabbitMQOptions>

const broker = 'RabbitMQ'

/**
 * Publishes to a topic exchange of RabbitMQ, persistent and with publisher confirms
 * (https://www.rabbitmq.com/docs/confirms). A message of a key goes out when the one before it is confirmed.
 * After a lost connection messages may come twice, with one message id.
 */
export function rabbitmq(options: RabbitMQOptions): OpenPublisher {
  return async ({ source }) => {
    const settings = { ...defaults, source, ...options }
    checkSource(settings.source)
    return new RabbitMQPublisher(settings)
  }
}

interface Session {
  readonly connection: ChannelModel
  readonly channel: ConfirmChannel
  /** Ids of messages on their way that no queue has taken. */
  readonly returned: Set<string>
  /** Why the channel was closed. */
  failure: unknown
}

/** AMQP's reply code for what a channel may not ask, among it a message over the server's limit. */
const preconditionFailed = 406

/** A routing key is a short string: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2.5.3. */
const maxTopicBytes = 255

class RabbitMQPublisher implements Publisher {
  readonly #settings: Settings
  readonly #session: KeptConnection<Session>
  /** Whether the server has closed the channel for one of several messages: one at a time tells which. */
  #isCautious = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.#session = new KeptConnection(
      broker,
      () => openSession(settings, (session) => this.#session.forget(session)),
      closeSession,
    )
  }

  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void> {
    return attempt(broker, signal, async () => {
      const end = this.#session.endOf(signal)
      const session = await this.#session.use(end)
      const limits = this.#isCautious ? { ...this.#settings, maxInFlight: 1 } : this.#settings
      try {
        const send = (message: OutboxMessage) => this.#send(session, message)
        await sendInOrder(messages, send, { broker, ...limits }, end)
        this.#isCautious = false
      } catch (error) {
        await this.#recover(session, error, signal)
        throw error
      }
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session[Symbol.asyncDispose]()
  }

  #send(session: Session, message: OutboxMessage): Sending {
    const encoded = this.#encode(message)
    const { exchange, unroutable } = this.#settings
    const { id, topic } = message
    const confirmed = new Promise<void>((resolve, reject) => {
      const settle = (error: unknown) => {
        if (session.returned.delete(id)) reject(messageRefused(message, 'no queue takes its topic'))
        else if (error === null) resolve()
        else reject(this.#explain(session, message, error))
      }
      const properties = { ...propertiesOf(encoded), mandatory: unroutable === 'refuse' }
      session.channel.publish(exchange, topic, encoded.body, properties, settle)
    })
    return { bytes: encoded.bytes, confirmed }
  }

  #encode(message: OutboxMessage): EncodedMessage {
    if (Buffer.byteLength(message.topic) > maxTopicBytes) {
      throw messageRefused(message, `its topic has more than ${maxTopicBytes} bytes`)
    }
    // The names of AMQP's binding: what a client of AMQP 1.0 finds.
    return encodeMessage(message, { ...this.#settings, prefix: 'cloudEvents_' })
  }

  #explain(session: Session, message: OutboxMessage, error: unknown): unknown {
    if (session.failure === undefined) return asPublishFailed(broker, error)
    if (this.#isCautious && isPreconditionFailed(session.failure)) {
      return messageRefused(message, 'the server does not accept it', session.failure)
    }
    return asPublishFailed(broker, session.failure)
  }

  /** Leaves a connection behind that can be used, or none. */
  async #recover(session: Session, error: unknown, signal: AbortSignal): Promise<void> {
    if (isPreconditionFailed(session.failure)) this.#isCautious = true
    const isSilent = session.failure === undefined && !isRefusal(error) && !signal.aborted
    if (isSilent || session.failure !== undefined) await this.#session.drop(session)
  }
}

function propertiesOf({ message, contentType, headers }: EncodedMessage): Options.Publish {
  return {
    persistent: true,
    messageId: message.id,
    contentType,
    type: message.topic,
    timestamp: Math.floor(message.recordedAt.getTime() / 1000),
    headers,
  }
}

function isPreconditionFailed(failure: unknown): boolean {
  return (failure as { code?: unknown } | undefined)?.code === preconditionFailed
}

function isRefusal(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'MESSAGE_REFUSED'
}

async function openSession(settings: Settings, lost: (session: Session) => void): Promise<Session> {
  const { url, connectTimeoutMs } = settings
  const connection = await amqp.connect(url, { timeout: connectTimeoutMs, noDelay: true })
  // Whoever waits for a confirmation is told by the channel. Without a listener the process would end.
  connection.on('error', () => {})
  try {
    const opening = openChannel(connection, settings, lost)
    opening.catch(() => {})
    return await within(connectTimeoutMs, opening, 'the server opens no channel')
  } catch (error) {
    await closeConnection(connection).catch(() => {})
    throw error
  }
}

async function openChannel(
  connection: ChannelModel,
  { exchange, declare }: Settings,
  lost: (session: Session) => void,
): Promise<Session> {
  const channel = await connection.createConfirmChannel()
  const session: Session = { connection, channel, returned: new Set(), failure: undefined }
  channel.on('error', (error) => {
    session.failure = error
  })
  channel.on('close', () => {
    session.failure ??= publishFailed(broker, 'the connection was lost')
    lost(session)
    closeConnection(connection).catch(() => {})
  })
  channel.on('return', ({ properties }) => session.returned.add(String(properties.messageId)))
  if (declare) await channel.assertExchange(exchange, 'topic', { durable: true })
  else await channel.checkExchange(exchange)
  return session
}

function closeSession({ connection }: Session): Promise<void> {
  return closeConnection(connection)
}

/** How long a server that says nothing may take over a farewell. */
const closeTimeoutMs = 1_000

async function closeConnection(connection: ChannelModel): Promise<void> {
  try {
    await within(closeTimeoutMs, connection.close(), 'the server does not say goodbye')
  } finally {
    // amqplib waits for the server's farewell without end, and has no other way to be rid of a socket.
    const { stream } = connection.connection as { stream?: { destroy?: () => void } }
    stream?.destroy?.()
  }
}
