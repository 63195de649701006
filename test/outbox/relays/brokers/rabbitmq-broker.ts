import { randomUUID } from 'node:crypto'
import amqp from 'amqplib'
import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import { type RabbitMQOptions, rabbitmq } from '../../../../src/outbox/relays/rabbitmq.ts'
import { startBrokerProxy } from '../../../support/broker-proxy.ts'
import { atPort, cannotConnect } from './addresses.ts'
import type { BrokerKind, BrokerUnderTest, OpenOptions } from './broker-under-test.ts'

export const rabbitmqUrl =
  process.env.TIDEMARK_TEST_RABBITMQ_URL ?? 'amqp://guest:guest@127.0.0.1:5672'

const maxMessageBytes = 1_000_000

export interface RabbitMQUnderTest extends BrokerUnderTest {
  readonly exchange: string
  readonly options: RabbitMQOptions
}

/** Makes an exchange with a queue that takes everything. */
export async function startRabbitMQ(binding = '#'): Promise<RabbitMQUnderTest> {
  const proxy = await startBrokerProxy({ port: Number(new URL(rabbitmqUrl).port) })
  const connection = await amqp.connect(rabbitmqUrl)
  const channel = await connection.createChannel()
  const exchange = `tidemark-test-${randomUUID()}`
  await channel.assertExchange(exchange, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, exchange, binding)
  const arrived: CloudEvent[] = []
  const take = (delivery: amqp.ConsumeMessage | null) => {
    if (delivery === null) return
    const { content, properties } = delivery
    arrived.push(fromBinary(JSON.parse(content.toString()), properties.headers ?? {}))
  }
  await channel.consume(queue, take, { noAck: true })

  const options = { url: atPort(rabbitmqUrl, proxy.port), exchange, maxMessageBytes }
  return {
    proxy,
    exchange,
    options,
    topicPrefix: '',
    maxMessageBytes,
    openPublisher: ({ inFlight, ...rest }: OpenOptions = {}) => {
      const limit = inFlight === undefined ? {} : { maxInFlight: inFlight }
      return rabbitmq({ ...options, ...limit, ...rest })({ source: '/test' })
    },
    received: async () => [...arrived],
    [Symbol.asyncDispose]: async () => {
      await channel.deleteExchange(exchange)
      await connection.close()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Puts an event together again whose attributes came as headers, if they did. */
function fromBinary(body: CloudEvent, headers: Record<string, unknown>): CloudEvent {
  const prefix = 'cloudEvents_'
  const attributes = Object.entries(headers)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [name.slice(prefix.length), value])
  if (attributes.length === 0) return body
  return { ...Object.fromEntries(attributes), datacontenttype: 'application/json', data: body }
}

export const rabbitmqKind: BrokerKind = {
  name: 'RabbitMQ',
  manyMessages: 10_000,
  unavailable: () => cannotConnect(rabbitmqUrl),
  start: () => startRabbitMQ(),
}
