import pg from 'pg'
import { createStore } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { compare } from './trial.ts'

const name = 'outbox/publish'
const perCall = 100

/** The outbox's columns and index, without its checks and triggers. */
const rawTable = /* sql */ `
  create table raw_outbox (like tidemark.outbox including defaults including identity);
  alter table raw_outbox add primary key (incarnation, transaction_id, insert_id)`

const rawInsert = {
  name: 'raw-publish',
  text: /* sql */ `
    insert into raw_outbox (message_id, topic, key, data, headers)
    select n.id, n.topic, n.key, n.data::jsonb, '{}'
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as n (id, topic, key, data)`,
}

/** How fast 100 messages a call are published, beside one insert of the same rows. */
export const outboxPublishBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await publish(settings)],
}

async function publish(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  const { connectionString } = database
  await queryOnce(connectionString, rawTable)
  await using store = await createStore({ connectionString, maxConnections: 1 })
  const raw = new pg.Client({ connectionString })
  await raw.connect()
  try {
    const numbers = Array.from({ length: perCall }, (_, n) => n)
    const data = (n: number) => ({ orderId: `order-${n}`, cents: n })
    const compared = await compare(settings, {
      name,
      base: async () => {
        await database.settle()
        const call = () =>
          raw.query({
            ...rawInsert,
            values: [
              numbers.map(() => crypto.randomUUID()),
              numbers.map(() => 'orders.order.placed'),
              numbers.map((n) => `order-${n}`),
              numbers.map((n) => JSON.stringify(data(n))),
            ],
          })
        return closedLoop(settings, { writers: 1, perCall, call })
      },
      ours: async () => {
        await database.settle()
        const call = () =>
          store.publishMany(
            null,
            numbers.map((n) => ({
              topic: 'orders.order.placed',
              key: `order-${n}`,
              data: data(n),
            })),
          )
        return closedLoop(settings, { writers: 1, perCall, call })
      },
    })
    return {
      ...emptyMeasurement,
      name,
      ...compared,
      unit: 'messages/s',
      against: 'raw insert … select unnest',
      timesOf: `a call of ${perCall} messages`,
    }
  } finally {
    await raw.end()
  }
}
