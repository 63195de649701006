import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { onFailpoint } from '../../src/core/failpoint.ts'
import { until } from '../support/until.ts'
import { append, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'
import { startServer } from './start-server.ts'

let connectionString: string
let pool: pg.Pool
let received = 0

beforeEach(async () => {
  const started = await startServer({})
  connectionString = started.connectionString
  pool = started.pool
  received = 0
  onFailpoint((name) => {
    if (name === 'commit-received') received += 1
  })
})

afterEach(async () => {
  onFailpoint(() => {})
  await stall('')
})

/** Has every commit wait for a standby that never comes, or no more. */
async function stall(standbys: 'nobody' | ''): Promise<void> {
  await pool.query(`alter system set synchronous_standby_names = '${standbys}'`)
  await pool.query('select pg_reload_conf()')
  await until('the server to have read its settings', async (saw) => {
    const { rows } = await pool.query('show synchronous_standby_names')
    saw(rows)
    return rows[0].synchronous_standby_names === standbys
  })
}

/** Appends; the commit is in the WAL and waits for a standby. */
async function appendStalled(stream: string): Promise<{ readonly done: Promise<string> }> {
  const waiting = () =>
    pool.query("select from pg_stat_activity where wait_event = 'SyncRep' and query ~ 'append'")
  const { rows: before } = await waiting()
  const done = append(pool, stream, 3)
  await until('the commit to wait for a standby', async () => {
    const { rows } = await waiting()
    return rows.length > before.length
  })
  return { done }
}

/** Appends what everybody sees at once. */
async function appendWithoutWaiting(stream: string): Promise<string> {
  const client = await pool.connect()
  await client.query('set synchronous_commit = local')
  const id = await append(client, stream)
  client.release(true)
  return id
}

/**
 * Looks for positions whose events nobody sees, time and again. A commit of the ledger that waits for the
 * standby too is told to wait no more, as one that the standby has confirmed first would.
 */
async function watchPositions(forMs: number): Promise<unknown[]> {
  const began = performance.now()
  const { rows: seen } = await until('some time to pass', async () => {
    await pool.query(/* sql */ `
      select pg_cancel_backend(pid)
      from pg_stat_activity
      where wait_event = 'SyncRep' and application_name = 'tidemark sequencer'`)
    const found = await pool.query(/* sql */ `
      select c.position, c.event_count, count(e.event_id) as visible
      from tidemark.commits as c
      left join tidemark.events as e using (incarnation, transaction_id)
      group by c.position, c.event_count
      having count(e.event_id) <> c.event_count`)
    return (found.rows.length > 0 || performance.now() - began > forMs) && found
  })
  return seen
}

test.for(['wal', 'poll'] as const)(
  'mode "%s": nobody sees a position before its events while a standby lags, and then all goes on',
  async (mode) => {
    await using sequencer = startSequencer({ connectionString, mode })
    await sequencer.untilLeading()
    const before = await untilSequenced(pool, await append(pool, 'before', 2))
    received = 0
    await stall('nobody')
    const first = await appendStalled('first')
    const second = await appendStalled('second')
    const visible = await appendWithoutWaiting('visible')
    if (mode === 'wal') await until('the WAL to deliver a commit', () => received > 0)

    expect(await watchPositions(1_500)).toEqual([])
    const last = (await readLedger(pool)).at(-1)
    // In the WAL it comes after those that wait.
    expect(last?.transactionId).toBe(mode === 'wal' ? before.transactionId : visible)

    await stall('')
    for (const { done } of [first, second]) await untilSequenced(pool, await done)
    await untilSequenced(pool, visible)
    await untilSequenced(pool, await append(pool, 'after'))
    expect(await findFaults(pool)).toEqual([])
    await sequencer.stop()
  },
)

/** A transaction that has written, as far as a slot that is being made can tell. */
async function beginWriter() {
  const client = await pool.connect()
  await client.query('begin')
  const { rows } = await client.query<{ id: string }>('select pg_current_xact_id()::text as id')
  const id = rows[0]?.id ?? ''
  return {
    untilWaitedFor: () =>
      until(`a slot to wait for transaction ${id}`, async (saw) => {
        const { rows: waiting } = await pool.query(
          "select transactionid::text as id from pg_locks where locktype = 'transactionid' and not granted",
        )
        saw(waiting)
        return waiting.some((lock) => lock.id === id)
      }),
    end: async () => {
      await client.query('rollback')
      client.release()
    },
  }
}

test('a commit that waits for a standby while a slot is made is neither shown too early nor lost', async () => {
  await untilSequencedOnce()
  await stall('nobody')
  const first = await beginWriter()
  await using sequencer = startSequencer({ connectionString, mode: 'wal' })
  await first.untilWaitedFor()
  const second = await beginWriter()
  await first.end()
  await second.untilWaitedFor()
  // From here on the slot takes note of what commits: its snapshot holds what nobody else sees yet.
  const { done } = await appendStalled('stalled')
  await second.end()
  expect(await watchPositions(1_500)).toEqual([])

  await stall('')
  await untilSequenced(pool, await done)
  await untilSequenced(pool, await append(pool, 'after'))
  expect(await findFaults(pool)).toEqual([])
  await sequencer.stop()
})

/** Leaves a log that has events and no slot. */
async function untilSequencedOnce(): Promise<void> {
  await using sequencer = startSequencer({ connectionString, mode: 'poll' })
  await untilSequenced(pool, await append(pool, 'before', 2))
  await sequencer.stop()
}
