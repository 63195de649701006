import type pg from 'pg'
import { expect, test } from 'vitest'
import { append, findFaults, readLedger, readOrder, untilSequenced } from '../sequencer/ledger.ts'
import { recordedSlot } from '../sequencer/recorded-slot.ts'
import { type StartedSequencer, startSequencer } from '../sequencer/start-sequencer.ts'
import { startServer } from '../sequencer/start-server.ts'
import { chosenVersion, installedVersion } from '../support/servers/chosen-postgres.ts'
import { startStandby, untilReplayed } from '../support/servers/start-standby.ts'
import { until } from '../support/until.ts'
import { openPool, type Pair, startPair } from './start-pair.ts'

// Slots reach a standby by the server itself from version 17 on, and on others by tools such as Patroni.
const synchronizes = Number(chosenVersion() ?? installedVersion) >= 17

async function confirmedLsn(pool: pg.Pool, slot: string): Promise<string | null> {
  const { rows } = await pool.query(
    'select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1',
    [slot],
  )
  return rows[0]?.lsn ?? null
}

/** Brings the primary's slots to the standby, no older than they are now, to stay. */
async function synchronizeSlots({ standby, pool }: Pair, slot: string): Promise<void> {
  const replica = openPool(standby.connectionString)
  const wanted = await confirmedLsn(pool, slot)
  await keepSynchronizing(replica, true)
  await until(
    'the slot to be on the standby',
    async (saw) => {
      // Lets the slot move to where the standby, too, can decode, once so much is written that it does.
      await pool.query("select pg_logical_emit_message(false, 'noise', repeat('x', 50000))")
      await pool.query('select pg_log_standby_snapshot()')
      const { rows } = await replica.query(
        /* sql */ `
        select temporary, confirmed_flush_lsn, confirmed_flush_lsn >= $2 as ok
        from pg_replication_slots
        where slot_name = $1`,
        [slot, wanted],
      )
      saw({ rows, wanted })
      return rows[0]?.temporary === false && rows[0].ok
    },
    { timeoutMs: 25_000, intervalMs: 200 },
  )
  await keepSynchronizing(replica, false)
  await untilReplayed(pool, standby)
}

/** Not by `pg_sync_replication_slots`: that begins anew each time, and the slot would have to stand still. */
async function keepSynchronizing(replica: pg.Pool, on: boolean): Promise<void> {
  await replica.query(`alter system set sync_replication_slots = ${on ? 'on' : 'off'}`)
  await replica.query('select pg_reload_conf()')
}

/** A pair whose primary has a slot that no worker uses now, and some commits in the ledger. */
async function startSequencedPair({ synchronized = false } = {}): Promise<Pair> {
  const pair = await startPair()
  await using sequencer = startSequencer({
    connectionString: pair.connectionString,
    mode: 'wal',
  })
  await sequencer.untilLeading()
  await untilSequenced(pair.pool, await append(pair.pool, 'kept', 3))
  if (synchronized) await synchronizeSlots(pair, await recordedSlot(pair))
  await sequencer.stop()
  return pair
}

async function expectExact(
  promoted: pg.Pool,
  before: Awaited<ReturnType<typeof readLedger>>,
  sequencer: StartedSequencer,
): Promise<void> {
  await until('what is appended to come from the stream of a slot', async (saw) => {
    const row = await untilSequenced(promoted, await append(promoted, 'kept'))
    saw({ row, log: sequencer.log.lines })
    return row.lsn !== null
  })
  const ledger = await readLedger(promoted)
  expect(ledger.slice(0, before.length)).toEqual(before)
  expect(new Set(ledger.map(({ incarnation }) => incarnation))).toEqual(new Set([1]))
  expect(await findFaults(promoted)).toEqual([])
}

test('a slot that another made under the recorded name after a failover is not trusted', async () => {
  const { pool, standby, failOver } = await startSequencedPair()
  const slot = await recordedSlot({ pool })
  await append(pool, 'unseen', 2)
  await untilReplayed(pool, standby)
  const before = await readLedger(pool)
  const promoted = await failOver()
  // As tools do that keep slots over a failover: it begins where the log is now.
  await promoted.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot])

  await using sequencer = startSequencer({ connectionString: standby.connectionString })
  await expectExact(promoted, before, sequencer)
  expect(await readOrder(promoted)).toContain('unseen/2')
  expect(await recordedSlot({ pool: promoted })).not.toBe(slot)
})

test('a slot that was copied with the files of its server hides nothing', async () => {
  const { server, connectionString, pool } = await startServer({})
  await using first = startSequencer({ connectionString, mode: 'wal' })
  await first.untilLeading()
  await untilSequenced(pool, await append(pool, 'kept', 3))
  // As by a copy of the whole disk, or a backup whose maker did not leave the slots out.
  const standby = await startStandby(server, { copySlots: true })
  await untilSequenced(pool, await append(pool, 'later', 2))
  await first.stop()
  await append(pool, 'unseen', 2)
  await untilReplayed(pool, standby)
  const before = await readLedger(pool)
  await server.stop()
  await standby.promote()
  const promoted = openPool(standby.connectionString)
  const { rows } = await promoted.query('select slot_name::text as name from pg_replication_slots')
  expect(rows.map(({ name }) => name)).toContain(await recordedSlot({ pool: promoted }))

  await using second = startSequencer({ connectionString: standby.connectionString })
  await expectExact(promoted, before, second)
  expect(await readOrder(promoted)).toContain('unseen/2')
})

test.runIf(synchronizes)(
  'a synchronized slot is continued where the ledger reaches it',
  async () => {
    const pair = await startSequencedPair({ synchronized: true })
    const { pool, standby, connectionString, failOver } = pair
    const slot = await recordedSlot({ pool })
    await synchronizeSlots(pair, slot)
    await using first = startSequencer({ connectionString, mode: 'wal' })
    await untilSequenced(pool, await append(pool, 'later', 2))
    await first.stop()
    await append(pool, 'unseen', 2)
    await untilReplayed(pool, standby)
    const before = await readLedger(pool)

    const promoted = await failOver()
    await using second = startSequencer({ connectionString: standby.connectionString })
    await expectExact(promoted, before, second)
    expect(await recordedSlot({ pool: promoted })).toBe(slot)
  },
)

test.runIf(synchronizes)(
  'a synchronized slot that is ahead of the ledger which reached the standby is replaced',
  async () => {
    const pair = await startSequencedPair({ synchronized: true })
    const { pool, standby, failOver } = pair
    const slot = await recordedSlot({ pool })
    await append(pool, 'unseen', 2)
    // As a leader leaves it whose last ledger rows did not reach the standby any more.
    await pool.query('select pg_replication_slot_advance($1, pg_current_wal_lsn())', [slot])
    await synchronizeSlots(pair, slot)
    const before = await readLedger(pool)

    const promoted = await failOver()
    await using sequencer = startSequencer({ connectionString: standby.connectionString })
    await expectExact(promoted, before, sequencer)
    expect(await readOrder(promoted)).toContain('unseen/2')
    expect(await recordedSlot({ pool: promoted })).not.toBe(slot)
  },
  60_000,
)
