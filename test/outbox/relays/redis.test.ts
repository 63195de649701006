import { describe, expect, test } from 'vitest'
import { redis } from '../../../src/outbox/relays/redis.ts'
import { message, messages } from '../messages.ts'
import { isAvailable } from './brokers/available-brokers.ts'
import { redisKind, startRedis } from './brokers/redis-broker.ts'
import { testConformance } from './conformance.ts'

const never = new AbortController().signal
const context = { source: '/test' }

await testConformance(redisKind)

describe.skipIf(!(await isAvailable(redisKind)))('a stream of Redis', () => {
  test('has id, topic and key as fields beside the event', async () => {
    await using broker = await startRedis()
    await using publisher = await broker.openPublisher()
    const sent = message({ key: 'a' })
    await publisher.publish([sent], never)
    const [entry] = await broker.client.xrange(broker.stream, '-', '+')
    const fields = ['id', sent.id, 'type', sent.topic, 'key', 'a', 'event', expect.any(String)]
    expect(entry?.[1]).toEqual(fields)
  })

  test('is trimmed to about its greatest length', async () => {
    await using broker = await startRedis()
    await using publisher = await redis({ ...broker.options, maxLength: 100 })(context)
    await publisher.publish(messages(1_000, 10), never)
    // Redis removes whole nodes of its tree, of 100 entries by default.
    const length = await broker.client.xlen(broker.stream)
    expect(length).toBeGreaterThanOrEqual(100)
    expect(length).toBeLessThan(300)
  })

  test('of another type fails the messages', async () => {
    await using broker = await startRedis()
    await using publisher = await broker.openPublisher()
    await broker.client.set(broker.stream, 'a string')
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('WRONGTYPE'),
    })
  })
})
