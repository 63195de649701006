import type { OutboxMessage } from '../src/index.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { kafkaSide } from './relay/kafka-side.ts'
import { natsSide } from './relay/nats-side.ts'
import { rabbitmqSide } from './relay/rabbitmq-side.ts'
import { redisSide } from './relay/redis-side.ts'
import type { RelaySide } from './relay/relay-side.ts'
import { webhookSide } from './relay/webhook-side.ts'
import { compare } from './trial.ts'

const perCall = 1_000
const sides: Readonly<Record<string, () => Promise<RelaySide>>> = {
  'relay/rabbitmq': rabbitmqSide,
  'relay/nats': natsSide,
  'relay/redis': redisSide,
  'relay/kafka': kafkaSide,
  'relay/webhook': webhookSide,
}

/**
 * How fast a publisher publishes 1,000 messages a call, of 1,000 keys, until the broker has confirmed them, beside
 * the client alone with bodies of the same size.
 */
export const relayBenchmarks: readonly Benchmark[] = Object.entries(sides).map(([name, start]) => ({
  names: [name],
  run: async (settings) => [await measureRelay(name, start, settings)],
}))

async function measureRelay(
  name: string,
  start: () => Promise<RelaySide>,
  settings: BenchSettings,
): Promise<Measurement> {
  await using side = await start()
  await using publisher = await side.open({ source: '/bench' })
  // As large as the CloudEvent of a message.
  const body = Buffer.alloc(400, 'x')
  const compared = await compare(settings, {
    name,
    base: () =>
      closedLoop(settings, { writers: 1, perCall, call: () => side.publishBare(body, perCall) }),
    ours: () =>
      closedLoop(settings, {
        writers: 1,
        perCall,
        call: () => publisher.publish(messages(perCall), settings.signal),
      }),
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'messages/s',
    against: 'the client alone, confirmed too',
    timesOf: 'a call of 1,000 messages',
  }
}

let position = 0n

function messages(count: number): OutboxMessage[] {
  return Array.from({ length: count }, (_, n) => {
    position += 1n
    return {
      id: crypto.randomUUID(),
      position,
      topic: 'orders.order.placed',
      key: `order-${n}`,
      data: { orderId: `order-${n}`, cents: 4200, currency: 'EUR', lines: [1, 2, 3] },
      headers: { correlationId: 'c0ffee' },
      recordedAt: new Date(),
    }
  })
}
