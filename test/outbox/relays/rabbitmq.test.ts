import amqp from 'amqplib'
import { describe, expect, test } from 'vitest'
import { rabbitmq } from '../../../src/outbox/relays/rabbitmq.ts'
import { until } from '../../support/until.ts'
import { message, messages, padding } from '../messages.ts'
import { isAvailable } from './brokers/available-brokers.ts'
import { rabbitmqKind, rabbitmqUrl, startRabbitMQ } from './brokers/rabbitmq-broker.ts'
import { testConformance } from './conformance.ts'

const never = new AbortController().signal
const context = { source: '/test' }

await testConformance(rabbitmqKind)

describe.skipIf(!(await isAvailable(rabbitmqKind)))('an exchange of RabbitMQ', () => {
  test('has the topic as routing key, and the id as message id', async () => {
    await using broker = await startRabbitMQ('orders.#')
    await using publisher = await broker.openPublisher()
    const connection = await amqp.connect(rabbitmqUrl)
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(queue, broker.exchange, 'orders.*.placed')
    const placed = message({ topic: 'orders.order.placed' })
    const paid = message({ topic: 'orders.order.paid' })

    await publisher.publish([paid, placed], never)

    const delivery = await until('the message', async () => channel.get(queue, { noAck: true }))
    expect(delivery.fields.routingKey).toBe('orders.order.placed')
    expect(delivery.properties).toMatchObject({
      messageId: placed.id,
      type: 'orders.order.placed',
      contentType: 'application/cloudevents+json; charset=utf-8',
      deliveryMode: 2,
      timestamp: Math.floor(placed.recordedAt.getTime() / 1000),
    })
    expect(await channel.get(queue, { noAck: true })).toBe(false)
    await connection.close()
  })

  test('refuses a message that no queue takes, unless it may be dropped', async () => {
    await using broker = await startRabbitMQ('orders.#')
    await using careful = await broker.openPublisher()
    const lost = message({ topic: 'payments.payment.made', key: 'a' })
    const kept = message({ key: 'b' })
    await expect(careful.publish([lost, kept], never)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
      details: { messageId: lost.id, reason: 'no queue takes its topic' },
    })
    await using careless = await rabbitmq({ ...broker.options, unroutable: 'drop' })(context)
    await careless.publish([lost, kept], never)
    await until('the other to arrive', async () => (await broker.received()).length > 0)
    expect((await broker.received()).map(({ id }) => id)).not.toContain(lost.id)
  })

  test('refuses a topic that is longer than a routing key', async () => {
    await using broker = await startRabbitMQ()
    await using publisher = await broker.openPublisher()
    const fits = message({ topic: 'ä'.repeat(127) })
    const long = message({ topic: 'ä'.repeat(128) })
    await publisher.publish([fits], never)
    await expect(publisher.publish([long], never)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
      details: { messageId: long.id },
    })
  })

  test('names the one of many messages that is over the limit of the server', async () => {
    await using broker = await startRabbitMQ()
    const limit = 256 * 1024 * 1024
    const generous = { ...broker.options, maxMessageBytes: limit, maxInFlightBytes: 2 * limit }
    await using publisher = await rabbitmq(generous)(context)
    const [before, after] = [messages(3, 3), messages(3, 3)]
    // RabbitMQ before 4.0 takes 128 MiB.
    const large = message(padding(129 * 1024 * 1024))
    const sent = [...before, large, ...after]
    await expect(publisher.publish(sent, never)).rejects.toMatchObject({ code: 'PUBLISH_FAILED' })
    await expect(publisher.publish(sent, never)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
      details: { messageId: large.id },
    })
    await publisher.publish([...before, ...after], never)
  })

  test('has to be there when it is not declared', async () => {
    await using broker = await startRabbitMQ()
    const options = { ...broker.options, exchange: `${broker.exchange}-missing`, declare: false }
    await using publisher = await rabbitmq(options)(context)
    await expect(publisher.publish([message()], never)).rejects.toThrow(/no exchange/i)
    await until('the connection to be closed', () => broker.proxy.open === 0)
  })

  test('of another type is not used', async () => {
    await using broker = await startRabbitMQ()
    await using publisher = await rabbitmq({ ...broker.options, exchange: 'amq.direct' })(context)
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
    })
  })

  test('that is deleted while it is published to fails the messages, and is made again', async () => {
    await using broker = await startRabbitMQ()
    await using publisher = await rabbitmq({ ...broker.options, unroutable: 'drop' })(context)
    await publisher.publish([message()], never)
    const connection = await amqp.connect(rabbitmqUrl)
    const channel = await connection.createChannel()
    await channel.deleteExchange(broker.exchange)
    await expect(publisher.publish(messages(5, 5), never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
    })
    await publisher.publish(messages(5, 5), never)
    await connection.close()
  })
})
