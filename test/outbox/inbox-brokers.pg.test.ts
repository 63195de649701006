import { randomUUID } from 'node:crypto'
import amqp from 'amqplib'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { event } from '../../src/core/event.ts'
import type { CloudEvent } from '../../src/outbox/cloud-event.ts'
import { consume } from '../../src/outbox/inbox.ts'
import { rabbitmq } from '../../src/outbox/relays/rabbitmq.ts'
import { createStore } from '../../src/worker/create-store.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { message } from './messages.ts'
import { isAvailable } from './relays/brokers/available-brokers.ts'
import { followTopic, kafkaKind, startKafka } from './relays/brokers/kafka-broker.ts'
import { rabbitmqKind, rabbitmqUrl, startRabbitMQ } from './relays/brokers/rabbitmq-broker.ts'

const database = useDatabase()
const never = new AbortController().signal

const PaymentNoted = event('payment.noted').v(1, z.object({ cents: z.int() }))

/** What has been noted, by payment. */
async function readNoted(payments: readonly string[]): Promise<Record<string, number>> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select stream_id, count(*)::int as count
    from tidemark.events
    where stream_id = any ($1)
    group by stream_id`,
    [payments],
  )
  return Object.fromEntries(rows.map((row) => [row.stream_id, row.count]))
}

const payments = (count: number) =>
  Array.from({ length: count }, () => {
    const payment = `payment-${randomUUID()}`
    return message({ topic: 'payments.payment.made', key: payment, data: { cents: 100 } })
  })

describe.skipIf(!(await isAvailable(rabbitmqKind)))('a consumer of RabbitMQ', () => {
  test('has each message appended once, and what it cannot digest in the dead letters', async () => {
    await using broker = await startRabbitMQ()
    await using store = await createStore({
      connectionString: database.connectionString,
      events: [PaymentNoted],
    })
    const connection = await amqp.connect(rabbitmqUrl)
    const channel = await connection.createChannel()
    const queue = `${broker.exchange}-payments`
    const graveyard = `${broker.exchange}-dead`
    await channel.assertExchange(graveyard, 'fanout')
    const dead = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(dead.queue, graveyard, '')
    await channel.assertQueue(queue, {
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 3,
        'x-dead-letter-exchange': graveyard,
      },
    })
    await channel.bindQueue(queue, broker.exchange, 'payments.#')

    const attempts = new Map<string, number>()
    const note = async (delivery: amqp.ConsumeMessage) => {
      const received: CloudEvent = JSON.parse(delivery.content.toString())
      const attempt = (attempts.get(received.id) ?? 0) + 1
      attempts.set(received.id, attempt)
      await consume(database.pool, { source: queue, id: received.id }, async (tx) => {
        const noted = PaymentNoted(received.data as { cents: number })
        await store.append(String(received.subject), [noted], { expect: 'any', tx })
        if (received.correlationid === 'fails-once' && attempt === 1) throw new Error('passing')
      })
    }
    await channel.prefetch(20)
    await channel.consume(queue, (delivery) => {
      if (delivery === null) return
      note(delivery).then(
        () => channel.ack(delivery),
        () => channel.nack(delivery),
      )
    })

    const sent = payments(30)
    const failing = { ...sent[7], headers: { correlationId: 'fails-once' } } as (typeof sent)[0]
    const poison = message({
      topic: 'payments.payment.made',
      key: 'payment-bad',
      data: { cents: 'x' },
    })
    sent.splice(7, 1, failing, poison)
    await using publisher = await rabbitmq(broker.options)({ source: '/test' })
    await publisher.publish(sent, never)
    await publisher.publish(sent, never) // as after a lost connection

    const good = sent.filter((one) => one !== poison).map(({ key }) => String(key))
    const buried = async () => channel.get(dead.queue, { noAck: true })
    const first = await until('the first of the bad ones to be dead', buried, { timeoutMs: 20_000 })
    await until('the second', buried, { timeoutMs: 20_000 })
    expect(JSON.parse(first.content.toString()).id).toBe(poison.id)
    await until('the queue to be empty', async () => {
      const { messageCount } = await channel.checkQueue(queue)
      return messageCount === 0 && attempts.size === sent.length
    })
    await until('all to be noted, once each', async (saw) => {
      const noted = await readNoted([...good, 'payment-bad'])
      saw(noted)
      return Object.keys(noted).length === good.length
    })
    expect(await readNoted([...good, 'payment-bad'])).toEqual(
      Object.fromEntries(good.map((payment) => [payment, 1])),
    )
    expect(attempts.get(failing.id)).toBeGreaterThan(1)

    await channel.deleteQueue(queue)
    await channel.deleteExchange(graveyard)
    await connection.close()
  })
})

describe.skipIf(!(await isAvailable(kafkaKind)))('a consumer of Kafka', () => {
  test('has each message appended once, though it reads from the start again', async () => {
    await using broker = await startKafka()
    await using store = await createStore({
      connectionString: database.connectionString,
      events: [PaymentNoted],
    })
    const sent = payments(40)
    await using publisher = await broker.openPublisher()
    await publisher.publish(sent, never)
    await publisher.publish(sent.slice(0, 10), never)

    const read = async (count: number) => {
      const outcomes: string[] = []
      for await (const { payload } of followTopic(broker.address, broker.topic)) {
        const received: CloudEvent = JSON.parse(payload)
        const message = { source: broker.topic, id: received.id }
        const { outcome } = await consume(database.pool, message, (tx) => {
          const noted = PaymentNoted(received.data as { cents: number })
          return store.append(String(received.subject), [noted], { expect: 'any', tx })
        })
        outcomes.push(outcome)
        if (outcomes.length === count) break
      }
      return outcomes.filter((outcome) => outcome === 'processed').length
    }
    // The first ends without having committed its offsets.
    const first = await read(25)
    expect(first).toBeGreaterThan(0)
    expect(await read(50)).toBe(sent.length - first)

    const keys = sent.map(({ key }) => String(key))
    expect(await readNoted(keys)).toEqual(Object.fromEntries(keys.map((key) => [key, 1])))
  })
})
