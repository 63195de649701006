import {
  type BaseOptions,
  type MessageToProduce,
  Producer,
  type ProducerOptions,
  stringSerializers,
} from '@platformatic/kafka'
import { checkSource } from '../cloud-event.ts'
import { type CloudEventMode, type EncodedMessage, encodeMessage } from '../encode-message.ts'
import { messageRefused } from '../message-refused.ts'
import type { OpenPublisher, OutboxMessage, Publisher } from '../publisher.ts'
import { attempt, within } from './attempt.ts'
import { KeptConnection } from './kept-connection.ts'
import { publishFailed } from './publish-failed.ts'
import { splitBatch } from './split-batch.ts'

export interface KafkaOptions {
  /** Brokers and credentials, as the client takes them. */
  readonly connection: Pick<BaseOptions, 'bootstrapBrokers' | 'clientId' | 'tls' | 'sasl'>
  /** The topic of Kafka that a message goes to. Default: the message's own. */
  readonly topic?: (message: OutboxMessage) => string
  /** Whether a topic that is missing may be made by the broker. Default false. */
  readonly autocreateTopics?: boolean
  /** Default `structured`. */
  readonly mode?: CloudEventMode
  /** `source` of the CloudEvents. Default: that of the relay. */
  readonly source?: string
  /** Messages that are produced at once. Default 500. */
  readonly batchSize?: number
  /** Their size. Default 512 KiB: those of one partition are one batch of Kafka, which takes 1 MiB. */
  readonly maxBatchBytes?: number
  /** Larger messages are refused. Default 1,000,000: a little less than `message.max.bytes` of a broker. */
  readonly maxMessageBytes?: number
  /** How long a batch may take before the producer is given up. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
}

const defaults = {
  topic: (message: OutboxMessage) => message.topic,
  autocreateTopics: false,
  mode: 'structured',
  batchSize: 500,
  maxBatchBytes: 512 * 1024,
  maxMessageBytes: 1_000_000,
  confirmTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
} as const

type Settings = Required<KafkaOptions>
type Producing = MessageToProduce<string, string, string, string>

const broker = 'Kafka'

/**
 * Produces to Kafka with an idempotent producer (https://kafka.apache.org/documentation/#producerconfigs,
 * `enable.idempotence`) that waits for all replicas in sync. The key chooses the partition, so that messages of a
 * key keep their order. After a failure the producer is replaced: messages may come twice, with one id.
 */
export function kafka(options: KafkaOptions): OpenPublisher {
  return async ({ source }) => {
    const settings = { ...defaults, source, ...options }
    checkSource(settings.source)
    return new KafkaPublisher(settings)
  }
}

class KafkaPublisher implements Publisher {
  readonly #settings: Settings
  readonly #producer: KeptConnection<Producer<string, string, string, string>>
  /** Whether a broker has refused a batch for one of several messages: one at a time tells which. */
  #isCautious = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.#producer = new KeptConnection(
      broker,
      async () => openProducer(settings),
      (producer) => within(closeTimeoutMs, producer.close(true), 'the producer does not close'),
    )
  }

  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void> {
    return attempt(broker, signal, async () => {
      const end = this.#producer.endOf(signal)
      const producer = await this.#producer.use(end)
      for (const batch of splitBatch(messages, (message) => this.#encode(message), this.#limits)) {
        try {
          await this.#produce(producer, batch, end)
        } catch (error) {
          await this.#producer.drop(producer)
          throw this.#explain(error, batch)
        }
      }
      this.#isCautious = false
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#producer[Symbol.asyncDispose]()
  }

  get #limits() {
    const { batchSize, maxBatchBytes } = this.#settings
    return { batchSize: this.#isCautious ? 1 : batchSize, maxBatchBytes }
  }

  #encode(message: OutboxMessage): EncodedMessage {
    const topic = this.#settings.topic(message)
    if (!isTopic.test(topic)) throw messageRefused(message, `"${topic}" is not a topic of Kafka`)
    return encodeMessage(message, { ...this.#settings, prefix: 'ce_' })
  }

  async #produce(
    producer: Producer<string, string, string, string>,
    batch: readonly EncodedMessage[],
    signal: AbortSignal,
  ): Promise<void> {
    const { confirmTimeoutMs } = this.#settings
    const produced = producer.send({ messages: batch.map((encoded) => this.#toProduce(encoded)) })
    produced.catch(() => {})
    const reason = `nothing was confirmed for ${confirmTimeoutMs} ms`
    const { unwritableNodes = [] } = await within(confirmTimeoutMs, produced, reason, signal)
    if (unwritableNodes.length > 0) throw publishFailed(broker, 'a broker took nothing')
  }

  #toProduce({ message, body, contentType, headers }: EncodedMessage): Producing {
    return {
      topic: this.#settings.topic(message),
      value: body.toString(),
      ...(message.key !== null && { key: message.key }),
      headers: { 'content-type': contentType, ...headers },
      timestamp: BigInt(message.recordedAt.getTime()),
    }
  }

  #explain(error: unknown, batch: readonly EncodedMessage[]): unknown {
    const refusal = protocolErrors(error).find(({ apiId }) => refusals.has(apiId))
    const [only, ...others] = batch
    if (refusal === undefined || only === undefined) return explainFailure(error)
    if (others.length === 0) return messageRefused(only.message, refusal.apiId, error)
    this.#isCautious = true
    return publishFailed(broker, refusal.apiId, { cause: error })
  }
}

// https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/internals/Topic.java
const isTopic = /^(?!\.{1,2}$)[\w.-]{1,249}$/

/** What a broker says of a batch that it will never take: https://kafka.apache.org/protocol#protocol_error_codes. */
const refusals = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
])

interface ProtocolFailure {
  readonly apiId: string
}

/** Lists what brokers have answered: the client wraps it in errors of errors. */
function protocolErrors(error: unknown): ProtocolFailure[] {
  if (!(error instanceof Error)) return []
  const own = 'apiId' in error && typeof error.apiId === 'string' ? [{ apiId: error.apiId }] : []
  const within = error instanceof AggregateError ? error.errors.flatMap(protocolErrors) : []
  return [...own, ...within, ...protocolErrors(error.cause)]
}

function explainFailure(error: unknown): unknown {
  const [first] = protocolErrors(error)
  return first === undefined ? error : publishFailed(broker, first.apiId, { cause: error })
}

/** How long a farewell may take. */
const closeTimeoutMs = 1_000

function openProducer(settings: Settings): Producer<string, string, string, string> {
  const { connection, autocreateTopics, connectTimeoutMs, confirmTimeoutMs } = settings
  const options: ProducerOptions<string, string, string, string> = {
    ...connection,
    autocreateTopics,
    connectTimeout: connectTimeoutMs,
    timeout: confirmTimeoutMs,
    idempotent: true,
    // There is no producer yet whose id could be taken up: -1 says so, where the client's own 0 is an id.
    producerId: -1n,
    producerEpoch: -1,
    // More than one: the client takes one for none given, and tries without end.
    retries: 2,
    retryDelay: 100,
    serializers: stringSerializers,
  }
  const producer = new Producer(options)
  producer.on('error', () => {})
  return producer
}
