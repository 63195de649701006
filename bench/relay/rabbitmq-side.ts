import { randomUUID } from 'node:crypto'
import amqp from 'amqplib'
import { rabbitmq } from '../../src/outbox/relays/rabbitmq.ts'
import type { RelaySide } from './relay-side.ts'

const url = process.env.TIDEMARK_TEST_RABBITMQ_URL ?? 'amqp://guest:guest@127.0.0.1:5672'

/** A durable queue that keeps the last 10,000 messages, persistent ones. */
export async function rabbitmqSide(): Promise<RelaySide> {
  const connection = await amqp.connect(url, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  const exchange = `tidemark-bench-${randomUUID()}`
  await channel.assertExchange(exchange, 'topic')
  await channel.assertQueue(exchange, { arguments: { 'x-max-length': 10_000 } })
  await channel.bindQueue(exchange, exchange, '#')
  return {
    open: rabbitmq({ url, exchange, maxInFlight: 1_000 }),
    publishBare: (body, count) => {
      const properties = { persistent: true, contentType: 'application/json' }
      for (let n = 0; n < count; n += 1) {
        channel.publish(exchange, 'orders.order.placed', body, properties)
      }
      return channel.waitForConfirms()
    },
    [Symbol.asyncDispose]: async () => {
      await channel.deleteQueue(exchange)
      await channel.deleteExchange(exchange)
      await connection.close()
    },
  }
}
