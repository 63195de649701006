import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { connect } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import { readSequencer } from '../../src/sequencer/sequencer-state.ts'
import { walTerm } from '../../src/sequencer/wal-term.ts'
import { chosenVersion, installedVersion } from '../support/servers/chosen-postgres.ts'
import { until } from '../support/until.ts'
import { append, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { recordedSlot } from './recorded-slot.ts'
import { startSequencer } from './start-sequencer.ts'
import { startServer } from './start-server.ts'

const version = Number(chosenVersion() ?? installedVersion)

/** A log with a slot that no worker uses, and events that only the slot or the table can give. */
async function startUnattended(settings: Record<string, string> = {}) {
  const server = await startServer(settings)
  await using sequencer = startSequencer({
    connectionString: server.connectionString,
    mode: 'wal',
  })
  await sequencer.untilLeading()
  await untilSequenced(server.pool, await append(server.pool, 'before', 3))
  await sequencer.stop()
  const slot = await recordedSlot(server)
  await append(server.pool, 'unseen', 2)
  return { ...server, slot, before: await readLedger(server.pool) }
}

/** Runs a sequencer, and holds the ledger against what was there before and what is in the table. */
async function expectRecovery(log: Awaited<ReturnType<typeof startUnattended>>): Promise<void> {
  const { connectionString, pool, before } = log
  await using sequencer = startSequencer({ connectionString })
  await until('what is appended to come from the stream of a slot', async (saw) => {
    const row = await untilSequenced(pool, await append(pool, 'after'))
    saw({ row, log: sequencer.log.lines })
    return row.lsn !== null
  })
  expect((await readLedger(pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(pool)).toEqual([])
  await sequencer.stop()
}

test('a slot of the recorded name that decodes for somebody else is replaced', async () => {
  const log = await startUnattended()
  await log.pool.query('select pg_drop_replication_slot($1)', [log.slot])
  await log.pool.query("select pg_create_logical_replication_slot($1, 'test_decoding')", [log.slot])
  await expectRecovery(log)
  expect(await recordedSlot(log)).not.toBe(log.slot)
})

test('a physical slot that took the recorded name is left alone, and a new one made', async () => {
  const log = await startUnattended()
  await log.pool.query('select pg_drop_replication_slot($1)', [log.slot])
  await log.pool.query('select pg_create_physical_replication_slot($1)', [log.slot])
  await expectRecovery(log)
  const { rows } = await log.pool.query('select slot_name, slot_type from pg_replication_slots')
  expect(rows).toHaveLength(2)
  expect(rows).toContainEqual({ slot_name: log.slot, slot_type: 'physical' })
})

test('a slot that is made again after it was trusted gives the ledger nothing', async () => {
  const log = await startUnattended()
  const { connectionString, pool } = log
  const client = await connect({ connectionString, applicationName: 'term' })
  onTestFinished(() => client.end())
  const state = await readSequencer(client, 'tidemark')
  await pool.query('select pg_drop_replication_slot($1)', [log.slot])
  await pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [log.slot])
  await append(pool, 'sent by the new one')
  const over = new AbortController()
  onTestFinished(() => over.abort())
  const started: string[] = []
  const term = walTerm({
    client,
    slot: { state, slotName: log.slot, startLsn: state.lsn ?? 0n },
    settings: {
      ...{ connectionString, names: logNames(), mode: 'wal', logger: silentLogger },
      ...{ untilLeaderless: async () => {}, onRole: () => {} },
      ...{ leaderSilenceMs: 5_000, maxBatch: 5_000, maxWaiting: 20_000 },
    },
    onStart: () => started.push('leads'),
    signal: over.signal,
  })
  await expect(term).rejects.toThrow(`"${log.slot}" was dropped, or made again by somebody else`)
  expect(started).toEqual([])
  expect(await readLedger(pool)).toEqual(log.before)
  await expectRecovery(log)
  expect(await recordedSlot(log)).not.toBe(log.slot)
})

test('a slot of another database is left alone, whatever it is called', async () => {
  const log = await startUnattended()
  await log.pool.query('create database other')
  const other = new URL(log.connectionString)
  other.pathname = '/other'
  const client = new pg.Client({ connectionString: other.href })
  await client.connect()
  onTestFinished(() => client.end())
  await log.pool.query('select pg_drop_replication_slot($1)', [log.slot])
  await client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [log.slot])
  await expectRecovery(log)
  const { rows } = await log.pool.query(
    'select slot_name, database::text from pg_replication_slots',
  )
  expect(rows).toHaveLength(2)
  expect(rows).toContainEqual({ slot_name: log.slot, database: 'other' })
})

test('a slot that a connection holds of which nobody knows any more is taken from it', async () => {
  const log = await startUnattended()
  const stranger = new pg.Client({
    connectionString: log.connectionString,
    replication: 'database',
  } as pg.ClientConfig)
  stranger.on('error', () => {})
  await stranger.connect()
  const ended = new Promise((resolve) => stranger.once('end', resolve))
  stranger
    .query(
      `START_REPLICATION SLOT "${log.slot}" LOGICAL 0/0 ` +
        "(proto_version '1', publication_names 'tidemark_log')",
    )
    .catch(() => {})
  await until('the slot to be held', async (saw) => {
    const { rows } = await log.pool.query('select active_pid from pg_replication_slots')
    saw(rows)
    return rows[0].active_pid !== null
  })
  await expectRecovery(log)
  await ended
  expect(await recordedSlot(log)).toBe(log.slot)
})

test.runIf(version >= 18)('a slot that was idle for too long is replaced', async () => {
  const log = await startUnattended({ idle_replication_slot_timeout: '1s' })
  await until('the server to give up on the slot', async (saw) => {
    await log.pool.query('checkpoint')
    const { rows } = await log.pool.query('select * from pg_replication_slots')
    saw(rows)
    return rows[0].invalidation_reason === 'idle_timeout'
  })
  await expectRecovery(log)
  expect(await recordedSlot(log)).not.toBe(log.slot)
})

test('a slot whose WAL is gone, which the server finds out when it reads, is replaced', async () => {
  const log = await startUnattended()
  const { rows } = await log.pool.query(
    'select pg_walfile_name(restart_lsn) from pg_replication_slots',
  )
  for (let n = 0; n < 3; n += 1) {
    await log.pool.query("select pg_logical_emit_message(false, 'noise', 'noise')")
    await log.pool.query('select pg_switch_wal()')
  }
  await log.pool.query('checkpoint')
  // As in a copy of the server's files that has its slots and not the WAL from before.
  await rm(join(log.server.dataDirectory, 'pg_wal', rows[0].pg_walfile_name))
  await expectRecovery(log)
  expect(await recordedSlot(log)).not.toBe(log.slot)
})

test('a slot that the server gives up on while a worker is held up is replaced', async () => {
  const { connectionString, pool } = await startServer({
    max_slot_wal_keep_size: '16MB',
    min_wal_size: '32MB',
    max_wal_size: '32MB',
  })
  await using sequencer = startSequencer({ connectionString, maxBatch: 1, maxWaiting: 2 })
  await sequencer.untilLeading()
  await untilSequenced(pool, await append(pool, 'before', 3))
  const slot = await recordedSlot({ pool })
  const blocker = await pool.connect()
  try {
    await blocker.query('begin')
    await blocker.query('lock table tidemark.commits in exclusive mode')
    for (let n = 0; n < 5; n += 1) await append(pool, 'unseen', 2)
    await until('the server to give up on the slot', async (saw) => {
      await pool.query("select pg_logical_emit_message(false, 'noise', 'noise')")
      await pool.query('select pg_switch_wal()')
      await pool.query('checkpoint')
      const { rows } = await pool.query('select wal_status, active_pid from pg_replication_slots')
      saw(rows)
      return rows[0]?.wal_status === 'lost'
    })
  } finally {
    await blocker.query('rollback')
    blocker.release()
  }
  await untilSequenced(pool, await append(pool, 'after'))
  expect(await recordedSlot({ pool })).not.toBe(slot)
  expect(await findFaults(pool)).toEqual([])
})
