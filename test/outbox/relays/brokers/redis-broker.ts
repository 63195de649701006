import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import { type RedisOptions, redis } from '../../../../src/outbox/relays/redis.ts'
import { startBrokerProxy } from '../../../support/broker-proxy.ts'
import { atPort, cannotConnect } from './addresses.ts'
import type { BrokerKind, BrokerUnderTest, OpenOptions } from './broker-under-test.ts'

export const redisUrl = process.env.TIDEMARK_TEST_REDIS_URL ?? 'redis://127.0.0.1:6379'

const maxMessageBytes = 1_000_000

export interface RedisUnderTest extends BrokerUnderTest {
  readonly stream: string
  readonly options: RedisOptions
  readonly client: Redis
}

/** Chooses a key for a stream. */
export async function startRedis(): Promise<RedisUnderTest> {
  const proxy = await startBrokerProxy({ port: Number(new URL(redisUrl).port) })
  const client = new Redis(redisUrl)
  const stream = `tidemark-test-${randomUUID()}`
  const options = { connection: atPort(redisUrl, proxy.port), stream, maxMessageBytes }
  return {
    proxy,
    stream,
    options,
    client,
    topicPrefix: '',
    maxMessageBytes,
    openPublisher: ({ inFlight, confirmTimeoutMs }: OpenOptions = {}) =>
      redis({
        ...options,
        ...(inFlight !== undefined && { batchSize: inFlight }),
        ...(confirmTimeoutMs !== undefined && { confirmTimeoutMs }),
      })({ source: '/test' }),
    received: async () => {
      const entries = await client.xrange(stream, '-', '+')
      return entries.map(([, fields]): CloudEvent => {
        return JSON.parse(fields[fields.indexOf('event') + 1] ?? '')
      })
    },
    [Symbol.asyncDispose]: async () => {
      await client.del(stream)
      client.disconnect()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

export const redisKind: BrokerKind = {
  name: 'Redis Streams',
  manyMessages: 10_000,
  unavailable: () => cannotConnect(redisUrl),
  start: startRedis,
}
