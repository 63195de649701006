import type pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { logNames, slotPrefix } from '../../src/db/log-names.ts'
import { readServerFacts } from '../../src/db/preflight.ts'
import { breakFunction } from '../support/break-function.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { append, dropLogSlots, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'

const database = useDatabase()

afterEach(() => dropLogSlots(database.connectionString))

async function readMode(): Promise<string> {
  const { rows } = await database.pool.query<{ mode: string }>(
    'select mode from tidemark.sequencer',
  )
  return rows[0]?.mode ?? ''
}

async function readReason(): Promise<string | null> {
  const { rows } = await database.pool.query('select poll_reason from tidemark.sequencer')
  return rows[0].poll_reason
}

async function untilFollowing(): Promise<void> {
  await until('the WAL to be followed', async () => (await readMode()) === 'wal')
}

/** Appends one event after the other on three connections, so that no moment is without a commit. */
function startWriters() {
  let isOver = false
  const ids: string[] = []
  const writing = Array.from({ length: 3 }, async (_, writer) => {
    while (!isOver) ids.push(await append(database.pool, `busy-${writer}`))
  })
  return async () => {
    isOver = true
    await Promise.all(writing)
    return ids
  }
}

test.each([
  { open: 'an open', hold: 'select 1', end: 'commit' },
  { open: 'a prepared', hold: "prepare transaction 'held'", end: "commit prepared 'held'" },
])(
  'while $open transaction keeps a slot from being made, polling goes on',
  async ({ hold, end }) => {
    const client = await database.client()
    await client.query('begin')
    const held = await append(client, 'held', 2)
    await client.query(hold)
    await using sequencer = startSequencer(database)
    await sequencer.untilLeading()
    expect(await readMode()).toBe('poll')
    await until('the reason', async () => (await readReason()) === 'a slot is being made')
    const stopWriters = startWriters()
    for (let n = 0; n < 3; n += 1) {
      await untilSequenced(database.pool, await append(database.pool, 'free'))
    }
    await client.query(end)
    await untilFollowing()
    expect(await readReason()).toBeNull()
    const ids = await stopWriters()
    for (const id of [held, ...ids.slice(-3)]) await untilSequenced(database.pool, id)
    const last = await untilSequenced(database.pool, await append(database.pool, 'streamed'))
    expect(last.lsn).not.toBeNull()
    expect(await findFaults(database.pool)).toEqual([])
    expect(sequencer.log.lines.filter(({ level }) => level === 'warn')).toEqual([])
    await sequencer.stop()
  },
)

/** A log whose slot was made while polling went on: its stream repeats one commit, which is returned. */
async function giveToNewSlot(client: pg.ClientBase): Promise<string> {
  const names = logNames()
  await using sequencer = startSequencer({ ...database, mode: 'poll' })
  await untilSequenced(database.pool, await append(database.pool, 'polled'))
  await sequencer.stop()
  const slot = `${slotPrefix(await readServerFacts(client), names.schema)}0123456789ab`
  const { rows } = await client.query<{ lsn: string }>(
    "select lsn::text from pg_create_logical_replication_slot($1, 'pgoutput')",
    [slot],
  )
  const repeated = await append(database.pool, 'polled', 2)
  await client.query(
    /* sql */ `
    select tidemark.follow_slot(
      generation, $1, $2, pg_current_snapshot(), null, tidemark.publication_fingerprint($3)
    )
    from tidemark.sequencer`,
    [slot, rows[0]?.lsn, names.publication],
  )
  expect((await untilSequenced(database.pool, repeated)).lsn).toBeNull()
  return repeated
}

test('what polling wrote and the stream repeats is passed over', async () => {
  const { pool } = database
  const open = await database.client()
  const repeated = await giveToNewSlot(open)
  const before = await readLedger(pool)
  for (let leader = 0; leader < 2; leader += 1) {
    await using sequencer = startSequencer({ ...database, mode: 'wal' })
    const row = await untilSequenced(pool, await append(pool, 'streamed'))
    expect(row.lsn).not.toBeNull()
    expect(sequencer.log.lines.filter(({ level }) => level === 'warn')).toEqual([])
    await sequencer.stop()
  }
  expect((await readLedger(pool)).slice(0, before.length)).toEqual(before)
  expect(before.at(-1)?.transactionId).toBe(repeated)
  expect(await findFaults(pool)).toEqual([])
})

test('and would be refused by the ledger if it were not', async () => {
  const { pool } = database
  await breakFunction(pool, 'sequence_commits', 'v_sequencer.snapshot is null', 'true')
  await giveToNewSlot(await database.client())
  await using sequencer = startSequencer({ ...database, mode: 'wal' })
  const message = await until('a refusal', () =>
    sequencer.log.lines.map((line) => line.message).find((text) => text.includes('duplicate key')),
  )
  expect(message).toContain('commits_transaction_key')
  expect(await findFaults(pool)).toEqual([])
  await sequencer.stop()
})
