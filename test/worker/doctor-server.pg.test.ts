import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/testing/embedded-postgres.ts'
import { checkServer } from '../../src/worker/doctor/check-server.ts'
import { diagnose } from '../../src/worker/doctor/diagnose.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { append, untilSequenced } from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import { until } from '../support/until.ts'

async function startServer(settings: Record<string, string>): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ durable: false, settings })
  onTestFinished(() => server.stop())
  await migrate({ connectionString: server.connectionString, jobSchema: false })
  return server
}

/** Opens a pool that outlives restarts and ends with the test. */
function openPool({ connectionString }: EmbeddedPostgres): pg.Pool {
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  return pool
}

async function troubles({ connectionString }: EmbeddedPostgres): Promise<string[]> {
  const { findings } = await diagnose({ connectionString, graceMs: 1 })
  return findings
    .filter(({ severity }) => severity !== 'ok')
    .map(({ check, severity, reason }) => `${severity} ${check}: ${reason}`)
}

test('a server without logical WAL, without senders, with all slots in use; then a standby', async () => {
  const server = await startServer({
    wal_level: 'replica',
    max_wal_senders: '0',
    max_replication_slots: '1',
    max_slot_wal_keep_size: '1GB',
  })
  const pool = openPool(server)
  const noWorker = 'no worker leads: events get no positions, nothing is projected'
  expect(await troubles(server)).toEqual([
    'warning wal-level: wal_level is replica: the next worker orders events by polling',
    'warning wal-senders: max_wal_senders is 0: workers cannot follow the WAL, and poll',
    `error leader: ${noWorker}`,
  ])
  await pool.query("select pg_create_physical_replication_slot('of_somebody')")
  await pool.query("update tidemark.sequencer set mode = 'poll'")
  expect(await troubles(server)).toEqual([
    'warning wal-level: wal_level is replica: positions come from polling',
    'warning replication-slots: 1 of 1 are in use (max_replication_slots): a worker that needs another gets none',
    'warning wal-senders: max_wal_senders is 0: workers cannot follow the WAL, and poll',
    `error leader: ${noWorker}`,
  ])
  await writeFile(join(server.dataDirectory, 'standby.signal'), '')
  await server.restart()
  expect(await troubles(server)).toEqual([
    'error standby: the server is a standby: nothing can be appended or sequenced there, nor checked',
  ])
})

test('a slot that the server gave up, and senders that are all in use', async () => {
  const server = await startServer({
    max_wal_senders: '2',
    max_slot_wal_keep_size: '16MB',
    min_wal_size: '32MB',
    max_wal_size: '32MB',
  })
  const { connectionString } = server
  const pool = openPool(server)
  await using sequencer = startSequencer({ connectionString })
  await untilSequenced(pool, await append(pool, 'note-1'))
  await sequencer.untilLeading()
  await sequencer.stop()
  const slot = await until('the server to give up on the slot', async (saw) => {
    await pool.query("select pg_logical_emit_message(false, 'noise', 'noise')")
    await pool.query('select pg_switch_wal()')
    await pool.query('checkpoint')
    const { rows } = await pool.query('select slot_name, wal_status from pg_replication_slots')
    saw(rows)
    return rows[0]?.wal_status === 'lost' ? rows[0].slot_name : undefined
  })
  const lost = `warning slot: "${slot}" is lost: the server removed WAL that it needs`
  const noWorker = 'error leader: no worker leads: events get no positions, nothing is projected'
  expect(await troubles(server)).toEqual([lost, noWorker])

  const senders = [1, 2].map(
    () => new pg.Client({ connectionString, replication: 'database' } as pg.ClientConfig),
  )
  onTestFinished(async () => void (await Promise.all(senders.map((sender) => sender.end()))))
  await Promise.all(senders.map((sender) => sender.connect()))
  expect(await troubles(server)).toEqual([
    'warning wal-senders: 2 of 2 are in use (max_wal_senders): a worker that needs another gets none',
    lost,
    noWorker,
  ])
})

test('a server that is too old', () => {
  const facts = {
    versionNumber: 130_021,
    version: '13.21',
    inRecovery: false,
    walLevel: 'logical',
    systemIdentifier: '1',
    database: 'shop',
    databaseOid: '5',
  }
  expect(checkServer(facts)).toMatchObject([
    { check: 'server-version', severity: 'error', reason: expect.stringContaining('13.21') },
    { check: 'standby', severity: 'ok' },
  ])
})
