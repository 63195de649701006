import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { redis } from '../../src/outbox/relays/redis.ts'
import type { RelaySide } from './relay-side.ts'

const url = process.env.TIDEMARK_TEST_REDIS_URL ?? 'redis://127.0.0.1:6379'

/** A stream that keeps about the last 10,000 messages. */
export async function redisSide(): Promise<RelaySide> {
  const client = new Redis(url)
  const stream = `tidemark-bench-${randomUUID()}`
  return {
    open: redis({ connection: url, stream, maxLength: 10_000, batchSize: 1_000 }),
    publishBare: (body, count) => {
      const pipeline = client.pipeline()
      for (let n = 0; n < count; n += 1) {
        pipeline.xadd(stream, 'MAXLEN', '~', 10_000, '*', 'event', body)
      }
      return pipeline.exec()
    },
    [Symbol.asyncDispose]: async () => {
      await client.del(stream)
      client.disconnect()
    },
  }
}
