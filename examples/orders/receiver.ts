import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { type CloudEvent, verifyWebhook } from '../../src/index.ts'
import type { Destination } from './publisher.ts'

/** Another system, which hears of integration events. */
export interface Receiver extends AsyncDisposable {
  readonly destination: Destination
  /** All that came, in the order in which it came. */
  readonly received: readonly CloudEvent[]
  /** Waits until all that was published has come. */
  drained(): Promise<void>
}

/** Starts a receiver: behind RabbitMQ when its address is given, else behind a webhook. */
export async function startReceiver(amqpUrl: string | undefined): Promise<Receiver> {
  return amqpUrl === undefined ? startWebhook() : startConsumer(amqpUrl)
}

async function startWebhook(): Promise<Receiver> {
  const secret = randomBytes(32).toString('base64')
  const received: CloudEvent[] = []
  const server = createServer(async (request, response) => {
    const body = await readBody(request)
    const isSigned = verifyWebhook(secret, request.headers, body)
    if (isSigned) received.push(JSON.parse(body.toString()))
    response.writeHead(isSigned ? 204 : 401).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    destination: { kind: 'webhook', url: `http://127.0.0.1:${port}/`, secret },
    received,
    // What is published has been answered, and is here.
    drained: async () => {},
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(request))
}

/** A queue that goes with the connection, on an exchange that goes with the queue. */
async function startConsumer(url: string): Promise<Receiver> {
  const amqp = await import('amqplib')
  const exchange = `tidemark-orders-${randomBytes(4).toString('hex')}`
  const received: CloudEvent[] = []
  const connection = await amqp.connect(url)
  const channel = await connection.createChannel()
  await channel.assertExchange(exchange, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, exchange, 'orders.#')
  await channel.consume(queue, (delivery) => {
    if (delivery === null) return
    received.push(JSON.parse(delivery.content.toString()))
    channel.ack(delivery)
  })
  return {
    destination: { kind: 'rabbitmq', url, exchange },
    received,
    drained: async () => {
      while ((await channel.checkQueue(queue)).messageCount > 0) await setImmediate()
    },
    [Symbol.asyncDispose]: async () => {
      await channel.deleteExchange(exchange)
      await connection.close()
    },
  }
}
