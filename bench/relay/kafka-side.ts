import { Producer, stringSerializers } from '@platformatic/kafka'
import { kafka } from '../../src/outbox/relays/kafka.ts'
import { startKafkaCluster } from '../../test/outbox/relays/brokers/kafka-cluster.ts'
import type { RelaySide } from './relay-side.ts'

/** The mock cluster of librdkafka, which keeps a little of each partition in memory. */
export async function kafkaSide(): Promise<RelaySide> {
  const cluster = await startKafkaCluster()
  const bootstrapBrokers = cluster.ports.map((port) => `127.0.0.1:${port}`)
  const producer = new Producer({
    clientId: 'tidemark-bench-bare',
    bootstrapBrokers,
    autocreateTopics: true,
    idempotent: true,
    producerId: -1n,
    producerEpoch: -1,
    serializers: stringSerializers,
  })
  return {
    open: kafka({
      connection: { clientId: 'tidemark-bench', bootstrapBrokers },
      topic: () => 'events',
      autocreateTopics: true,
      batchSize: 1_000,
    }),
    publishBare: (body, count) => {
      const value = body.toString()
      const messages = Array.from({ length: count }, (_, n) => {
        return { topic: 'events', key: `order-${n}`, value }
      })
      return producer.send({ messages })
    },
    [Symbol.asyncDispose]: async () => {
      await producer.close(true)
      await cluster[Symbol.asyncDispose]()
    },
  }
}
