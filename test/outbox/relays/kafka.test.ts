import { describe, expect, test } from 'vitest'
import { kafka } from '../../../src/outbox/relays/kafka.ts'
import { message, messages } from '../messages.ts'
import { isAvailable } from './brokers/available-brokers.ts'
import { kafkaKind, startKafka } from './brokers/kafka-broker.ts'
import { testConformance } from './conformance.ts'

const never = new AbortController().signal
const context = { source: '/test' }

await testConformance(kafkaKind)

describe.skipIf(!(await isAvailable(kafkaKind)))('a topic of Kafka', () => {
  test('has the messages of a key in one partition, and several partitions in use', async () => {
    await using broker = await startKafka()
    await using publisher = await broker.openPublisher()
    await publisher.publish(messages(200, 20), never)
    const records = await broker.records()
    const partitionsOf = Map.groupBy(records, ({ key }) => key)
    expect(partitionsOf.size).toBe(20)
    for (const [key, found] of partitionsOf) {
      expect(new Set(found.map(({ partition }) => partition)).size, String(key)).toBe(1)
    }
    expect(new Set(records.map(({ partition }) => partition)).size).toBeGreaterThan(1)
  })

  test('is the topic of the message, unless it is chosen otherwise', async () => {
    await using broker = await startKafka()
    const { topic: _, ...options } = broker.options
    await using publisher = await kafka(options)(context)
    await publisher.publish([message({ topic: broker.topic })], never)
    expect(await broker.records()).toHaveLength(1)
  })

  test.each(['größe', 'a b', 'a/b', '..', 'a'.repeat(250)])('cannot be "%s"', async (topic) => {
    await using broker = await startKafka()
    const { topic: _, ...options } = broker.options
    await using publisher = await kafka(options)(context)
    await expect(publisher.publish([message({ topic })], never)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
    })
  })
})
