import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, test } from 'vitest'
import { nats } from '../../../src/outbox/relays/nats.ts'
import { message, messages } from '../messages.ts'
import { isAvailable } from './brokers/available-brokers.ts'
import { natsKind, natsUrl, startNats } from './brokers/nats-broker.ts'
import { testConformance } from './conformance.ts'

const never = new AbortController().signal
const context = { source: '/test' }

await testConformance(natsKind)

describe.skipIf(!(await isAvailable(natsKind)))('a stream of JetStream', () => {
  test('stores once what is published twice', async () => {
    await using broker = await startNats()
    const sent = messages(20, 3)
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await using publisher = await broker.openPublisher()
      await publisher.publish(sent, never)
    }
    expect(await broker.received()).toHaveLength(sent.length)
  })

  test('has to be there', async () => {
    await using broker = await startNats()
    await using publisher = await nats({ ...broker.options, stream: 'missing' })(context)
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('stream "missing" is not to be had: stream not found'),
    })
  })

  test('has to take the subject', async () => {
    await using broker = await startNats()
    const elsewhere = { ...broker.options, subjectPrefix: 'nowhere.' }
    await using publisher = await nats(elsewhere)(context)
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('nobody takes topic "orders.order.placed"'),
    })
  })

  test('is not mistaken for another that takes the subject', async () => {
    await using broker = await startNats()
    await using other = await startNats()
    const mixed = { ...broker.options, subjectPrefix: other.options.subjectPrefix ?? '' }
    await using publisher = await nats(mixed)(context)
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('expected stream does not match'),
    })
    expect(await other.received()).toEqual([])
  })

  test.each(['a b', 'a..b', '.a', 'a.', 'a.*', 'a.>', ''])(
    'takes no topic like "%s"',
    async (topic) => {
      await using broker = await startNats()
      await using publisher = await broker.openPublisher()
      await expect(publisher.publish([message({ topic })], never)).rejects.toMatchObject({
        code: 'MESSAGE_REFUSED',
      })
    },
  )

  test('that is full fails messages, and takes them when there is room', async () => {
    await using broker = await startNats()
    const connection = await connect({ servers: new URL(natsUrl).host })
    const manager = await jetstreamManager(connection)
    const { config } = await manager.streams.info(broker.stream)
    await manager.streams.update(broker.stream, { ...config, max_msgs: 1, discard: 'new' })
    await using publisher = await broker.openPublisher()
    const [first, second] = [message({ key: 'a' }), message({ key: 'a' })]
    await publisher.publish([first], never)
    await expect(publisher.publish([second], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining('maximum messages exceeded'),
    })
    await manager.streams.update(broker.stream, { ...config, max_msgs: -1, discard: 'old' })
    await publisher.publish([second], never)
    expect((await broker.received()).map(({ id }) => id)).toEqual([first.id, second.id])
    await connection.close()
  })
})
