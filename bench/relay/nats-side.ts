import { randomUUID } from 'node:crypto'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { nats } from '../../src/outbox/relays/nats.ts'
import type { RelaySide } from './relay-side.ts'

const { host } = new URL(process.env.TIDEMARK_TEST_NATS_URL ?? 'nats://127.0.0.1:4222')

/** A stream on disk that keeps the last 10,000 messages. */
export async function natsSide(): Promise<RelaySide> {
  const connection = await connect({ servers: host })
  const manager = await jetstreamManager(connection)
  const client = jetstream(connection)
  const stream = `tidemark-bench-${randomUUID()}`
  const subjects = [`${stream}.>`]
  await manager.streams.add({ name: stream, subjects, storage: 'file', max_msgs: 10_000 })
  const subject = `${stream}.orders.order.placed`
  return {
    open: nats({
      connection: { servers: host },
      stream,
      subjectPrefix: `${stream}.`,
      maxInFlight: 1_000,
    }),
    publishBare: (body, count) =>
      Promise.all(
        Array.from({ length: count }, () => client.publish(subject, body, { msgID: randomUUID() })),
      ),
    [Symbol.asyncDispose]: async () => {
      await manager.streams.delete(stream)
      await connection.close()
    },
  }
}
