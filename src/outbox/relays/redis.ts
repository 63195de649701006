import { type RedisOptions as AllClientOptions, Redis } from 'ioredis'
import { checkSource } from '../cloud-event.ts'
import { type EncodedMessage, encodeMessage } from '../encode-message.ts'
import type { OpenPublisher, OutboxMessage, Publisher } from '../publisher.ts'
import { attempt, within } from './attempt.ts'
import { KeptConnection } from './kept-connection.ts'
import { publishFailed } from './publish-failed.ts'
import { splitBatch } from './split-batch.ts'

/** The client's own options. How replies are mapped is not for the user to choose. */
type ClientOptions = Omit<AllClientOptions, 'replyMapping'>

export interface RedisOptions {
  /** `redis://` or `rediss://`, or the options of the client. */
  readonly connection: string | ClientOptions
  /** Key of the stream that messages are added to. */
  readonly stream: string
  /** About how many messages the stream keeps; those over it are trimmed, read or not. Default: all. */
  readonly maxLength?: number
  /** `source` of the CloudEvents. Default: that of the relay. */
  readonly source?: string
  /** Messages that are added in one transaction of Redis. Default 256. */
  readonly batchSize?: number
  /** Their size. Default 16 MiB. */
  readonly maxBatchBytes?: number
  /** Larger messages are refused. Default 64 MiB; Redis's own limit is 512 MiB. */
  readonly maxMessageBytes?: number
  /** How long a batch may take before the connection is given up. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** Default 10,000. */
  readonly connectTimeoutMs?: number
}

const defaults = {
  batchSize: 256,
  maxBatchBytes: 16 * 1024 * 1024,
  maxMessageBytes: 64 * 1024 * 1024,
  confirmTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
} as const

type Settings = Required<Omit<RedisOptions, 'maxLength'>> & Pick<RedisOptions, 'maxLength'>

const broker = 'Redis'

/**
 * Adds messages to a stream of Redis (https://redis.io/docs/latest/commands/xadd/), with the fields `id`, `type`,
 * `key` and `event`, the last a CloudEvent as JSON. A batch is one transaction: all of it is added, or
 * nothing. Redis confirms what it has in memory; what it keeps when it restarts is its own setting.
 */
export function redis(options: RedisOptions): OpenPublisher {
  return async ({ source }) => {
    const settings = { ...defaults, source, ...options }
    checkSource(settings.source)
    return new RedisPublisher(settings)
  }
}

class RedisPublisher implements Publisher {
  readonly #settings: Settings
  readonly #client: KeptConnection<Redis>

  constructor(settings: Settings) {
    this.#settings = settings
    this.#client = new KeptConnection(
      broker,
      () => openClient(settings, (client) => this.#client.forget(client)),
      async (client) => client.disconnect(),
    )
  }

  publish(messages: readonly OutboxMessage[], signal: AbortSignal): Promise<void> {
    return attempt(broker, signal, async () => {
      const end = this.#client.endOf(signal)
      const client = await this.#client.use(end)
      for (const batch of splitBatch(messages, (message) => this.#encode(message), this.#limits)) {
        try {
          await this.#add(client, batch, end)
        } catch (error) {
          await this.#client.drop(client)
          throw error
        }
      }
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]()
  }

  get #limits() {
    const { batchSize, maxBatchBytes } = this.#settings
    return { batchSize, maxBatchBytes }
  }

  #encode(message: OutboxMessage): EncodedMessage {
    return encodeMessage(message, { ...this.#settings, mode: 'structured', prefix: '' })
  }

  async #add(client: Redis, batch: readonly EncodedMessage[], signal: AbortSignal): Promise<void> {
    const { confirmTimeoutMs } = this.#settings
    const commands = batch.map((encoded) => this.#command(encoded))
    const executed = client.multi(commands).exec()
    executed.catch(() => {})
    const reason = `nothing was confirmed for ${confirmTimeoutMs} ms`
    const results = await within(confirmTimeoutMs, executed, reason, signal)
    const failure =
      results === null ? new Error('the transaction was discarded') : firstError(results)
    if (failure) throw publishFailed(broker, failure.message, { cause: failure })
  }

  #command({ message, body }: EncodedMessage): (string | Buffer)[] {
    const { stream, maxLength } = this.#settings
    const trim = maxLength === undefined ? [] : ['maxlen', '~', String(maxLength)]
    const key = message.key === null ? [] : ['key', message.key]
    const fields = ['id', message.id, 'type', message.topic, ...key]
    return ['xadd', stream, ...trim, '*', ...fields, 'event', body]
  }
}

function firstError(results: readonly (readonly [Error | null, unknown])[]): Error | null {
  return results.find(([error]) => error !== null)?.[0] ?? null
}

async function openClient(settings: Settings, lost: (client: Redis) => void): Promise<Redis> {
  const { connection, connectTimeoutMs } = settings
  const behaviour: ClientOptions = {
    connectTimeout: connectTimeoutMs,
    lazyConnect: true,
    // A lost connection is the call's failure. To try again is the caller's part.
    retryStrategy: () => null,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
  }
  const client =
    typeof connection === 'string'
      ? new Redis(connection, behaviour)
      : new Redis({ ...connection, ...behaviour })
  // The first error has the reason; the promise only says that the connection is closed.
  let failure: Error | undefined
  client.on('error', (error) => {
    failure ??= error
  })
  client.on('close', () => lost(client))
  try {
    const connecting = client.connect()
    connecting.catch(() => {})
    await within(connectTimeoutMs, connecting, 'the server does not answer')
    return client
  } catch (error) {
    client.disconnect()
    throw failure ?? error
  }
}
