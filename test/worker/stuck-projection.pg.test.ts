import { afterAll, expect, test } from 'vitest'
import { runWorker } from '../../src/index.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { append, dropLogSlots, untilSequenced } from '../sequencer/ledger.ts'
import { untilAt } from '../subscriptions/log-fixture.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { accounts, lastEntries } from './fixtures/accounts.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

async function deposit(): Promise<bigint> {
  const id = await append(database.pool, 'account-a', [
    { type: 'account.deposited', data: { account: 'a', amount: 1 } },
  ])
  return (await untilSequenced(database.pool, id)).position
}

/** Waits until the server may remove the WAL that was there when this was called. */
async function untilReleased(): Promise<void> {
  const { rows } = await database.pool.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn')
  await until(
    'the slot to let go of the WAL',
    async (saw) => {
      // What a server does every fifteen seconds: a slot moves when it says which transactions run.
      await database.pool.query('checkpoint')
      const { rows: slots } = await database.pool.query(
        `select restart_lsn, restart_lsn > $1 as released, pg_current_wal_lsn() as now
         from pg_replication_slots
         where database = current_database()`,
        [rows[0]?.lsn],
      )
      saw(slots)
      return slots[0].released
    },
    { timeoutMs: 45_000, intervalMs: 500 },
  )
}

test('a projection that stands still holds back neither WAL nor others, and goes on by itself', async () => {
  const { connectionString, pool } = database
  const log = captureLog()
  await using worker = inBackground((signal) =>
    runWorker({ connectionString, projections: [accounts, lastEntries], logger: log }, signal),
  )
  await untilAt(pool, 'accounts', await deposit())
  const blocker = await database.client()
  await blocker.query('begin; lock table accounts.balances in share mode')
  const behind = await deposit()
  await untilAt(pool, 'last_entries', behind)
  await until('the chunk to wait', async () => {
    const { rows } = await pool.query(/* sql */ `
      select from pg_stat_activity
      where datname = current_database()
        and application_name = 'tidemark worker'
        and wait_event_type = 'Lock'`)
    return rows.length > 0
  })

  await untilReleased()
  await untilAt(pool, 'last_entries', await deposit())
  const { rows } = await pool.query(
    "select position < $1 as behind, state from tidemark.subscriptions where name = 'accounts'",
    [behind],
  )
  expect(rows).toEqual([{ behind: true, state: 'active' }])
  await blocker.query('rollback')
  await untilAt(pool, 'accounts', await deposit())
  expect(log.lines).toContainEqual(
    expect.objectContaining({ level: 'warn', message: expect.stringContaining('lock timeout') }),
  )
  await worker.stop()
}, 90_000)
