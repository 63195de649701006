import { randomUUID } from 'node:crypto'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import { type NatsOptions, nats } from '../../../../src/outbox/relays/nats.ts'
import { startBrokerProxy } from '../../../support/broker-proxy.ts'
import { until } from '../../../support/until.ts'
import { cannotConnect } from './addresses.ts'
import type { BrokerKind, BrokerUnderTest, OpenOptions } from './broker-under-test.ts'

export const natsUrl = process.env.TIDEMARK_TEST_NATS_URL ?? 'nats://127.0.0.1:4222'

const maxMessageBytes = 1_000_000

export interface NatsUnderTest extends BrokerUnderTest {
  readonly stream: string
  readonly options: NatsOptions
}

/** Makes a stream of JetStream. */
export async function startNats(): Promise<NatsUnderTest> {
  const { host, port } = new URL(natsUrl)
  const proxy = await startBrokerProxy({ port: Number(port) })
  const connection = await connect({ servers: host })
  const manager = await jetstreamManager(connection)
  const stream = `tidemark-test-${randomUUID()}`
  const subjectPrefix = `${stream}.`
  await manager.streams.add({
    name: stream,
    subjects: [`${subjectPrefix}>`],
    storage: 'memory',
    max_msg_size: maxMessageBytes,
  })
  const arrived: CloudEvent[] = []
  const consumer = await jetstream(connection).consumers.get(stream)
  const consuming = await consumer.consume({
    callback: (delivery) => {
      const found = delivery.headers?.keys().filter((name) => name.startsWith('ce-')) ?? []
      const body = delivery.json<CloudEvent>()
      const attributes = found.map((name) => {
        return [name.slice('ce-'.length), decodeURIComponent(delivery.headers?.get(name) ?? '')]
      })
      const envelope = { ...Object.fromEntries(attributes), datacontenttype: 'application/json' }
      arrived.push(found.length === 0 ? body : { ...envelope, data: body })
    },
  })

  const options = {
    connection: { servers: `127.0.0.1:${proxy.port}` },
    stream,
    subjectPrefix,
  }
  return {
    proxy,
    stream,
    options,
    topicPrefix: '',
    maxMessageBytes,
    openPublisher: ({ inFlight, ...rest }: OpenOptions = {}) => {
      const limit = inFlight === undefined ? {} : { maxInFlight: inFlight }
      return nats({ ...options, ...limit, ...rest })({ source: '/test' })
    },
    received: async () => {
      const { state } = await manager.streams.info(stream)
      await until('all of the stream to be read', () => arrived.length === state.messages)
      return [...arrived]
    },
    [Symbol.asyncDispose]: async () => {
      await consuming.close()
      await manager.streams.delete(stream)
      await connection.close()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

export const natsKind: BrokerKind = {
  name: 'NATS JetStream',
  manyMessages: 10_000,
  unavailable: () => cannotConnect(natsUrl),
  start: startNats,
}
