import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseLsn } from '../../src/sequencer/lsn.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { append, dropLogSlots, insertEvents, readLedger, untilSequenced } from './ledger.ts'
import { type StartedSequencer, startSequencer } from './start-sequencer.ts'

const database = useDatabase()
let sequencer: StartedSequencer

beforeAll(async () => {
  // The slot is confirmed at least three times within this time.
  await database.pool.query(`alter database ${database.name} set wal_sender_timeout = '1500ms'`)
  sequencer = startSequencer({ connectionString: database.connectionString })
  await sequencer.untilLeading()
})

afterAll(async () => {
  await sequencer.stop()
  await dropLogSlots(database.connectionString)
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapInUse(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('a transaction of 200,000 events is one ledger row and costs a counter', async () => {
  const before = heapInUse()
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, heapInUse())
  }, 250)
  const events = 200_000
  const id = await insertEvents(database.pool, 'bulk-1', events)
  const row = await untilSequenced(database.pool, id, { timeoutMs: 30_000 })
  clearInterval(watch)

  expect(row.events).toBe(events)
  expect(
    (await readLedger(database.pool)).filter((other) => other.transactionId === id),
  ).toHaveLength(1)
  // 200,000 rows kept as objects would be some 50 bytes each at the very least.
  expect(most - before).toBeLessThan(5_000_000)
  const next = await untilSequenced(database.pool, await append(database.pool, 'bulk-2'))
  expect(next.position).toBe(row.position + 1n)
})

test('the slot releases WAL while other tables are being written and the log is idle', async () => {
  await untilSequenced(database.pool, await append(database.pool, 'idle'))
  await database.pool.query('create table noise (n integer, text text)')
  const { rows } = await database.pool.query('select pg_current_wal_lsn()::text as lsn')
  const write = () =>
    database.pool.query(
      "insert into noise select n, repeat('x', 500) from generate_series(1, 2000) as n",
    )
  for (let i = 0; i < 10; i += 1) await write()
  const { rows: target } = await database.pool.query('select pg_current_wal_lsn()::text as lsn')
  expect(parseLsn(target[0].lsn) - parseLsn(rows[0].lsn)).toBeGreaterThan(8_000_000n)

  await until(
    'the slot to be confirmed beyond the other writes',
    async (saw) => {
      const { rows: slots } = await database.pool.query(/* sql */ `
      select confirmed_flush_lsn::text as confirmed
      from pg_replication_slots
      where database = current_database()`)
      saw({ slots, target: target[0].lsn })
      await write()
      return parseLsn(slots[0].confirmed) >= parseLsn(target[0].lsn)
    },
    { timeoutMs: 20_000, intervalMs: 500 },
  )
})
