import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { isConnectionLoss } from '../../src/db/sqlstate.ts'
import { parseLsn } from '../../src/sequencer/lsn.ts'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'
import { until } from '../support/until.ts'
import { inBackground } from './background.ts'
import { append, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'

let server: EmbeddedPostgres
let pool: pg.Pool

beforeAll(async () => {
  server = await startChosenPostgres({
    stopTimeoutMs: 6_000,
    // What a commit does not flush itself stays in memory for long.
    settings: { wal_writer_delay: '10s' },
  })
  await migrate({ connectionString: server.connectionString, jobSchema: false })
  pool = new pg.Pool({
    connectionString: server.connectionString,
    options: '-c synchronous_commit=on',
  })
  pool.on('error', () => {})
})

afterAll(async () => {
  await pool?.end()
  await server?.stop()
})

/** Appends until stopped, whatever becomes of the server; counts what the server said is committed. */
function appendForEver(stream: string) {
  const committed: string[] = []
  const background = inBackground(async (signal) => {
    for (let i = 0; !signal.aborted; i += 1) {
      try {
        committed.push(await append(pool, `${stream}-${i % 3}`, 1 + (i % 3)))
      } catch (error) {
        if (!isConnectionLoss(error)) throw error
      }
    }
  })
  return { ...background, committed }
}

test.for(['fast', 'immediate', 'fast', 'immediate'] as const)(
  'a restart that is %s amid a stream of appends loses and repeats nothing',
  async (mode) => {
    await using sequencer = startSequencer({ connectionString: server.connectionString })
    await sequencer.untilLeading()
    const before = await readLedger(pool)
    const writers = [appendForEver('a'), appendForEver('b')]
    await until('some appends', () => writers.every(({ committed }) => committed.length > 20))

    await server.restart(mode)

    const marks = writers.map(({ committed }) => committed.length)
    await until('more appends', () =>
      writers.every(({ committed }, i) => committed.length > (marks[i] ?? 0) + 20),
    )
    for (const writer of writers) await writer.stop()
    await untilSequenced(pool, await append(pool, 'last'))

    const ledger = await readLedger(pool)
    const sequenced = new Set(ledger.map((row) => row.transactionId))
    const lost = writers.flatMap(({ committed }) => committed.filter((id) => !sequenced.has(id)))
    expect(lost).toEqual([])
    expect(ledger.slice(0, before.length)).toEqual(before)
    expect(await findFaults(pool)).toEqual([])
  },
)

test('a fast shutdown is not held up by a sequencer that cannot write', async () => {
  await using sequencer = startSequencer({
    connectionString: server.connectionString,
    maxBatch: 1,
    maxWaiting: 2,
  })
  await sequencer.untilLeading()
  const blocker = new pg.Client({ connectionString: server.connectionString })
  blocker.on('error', () => {})
  await blocker.connect()
  onTestFinished(() => blocker.end().catch(() => {}))
  await blocker.query('begin')
  await blocker.query('lock table tidemark.commits in exclusive mode')
  let last = ''
  for (let i = 0; i < 10; i += 1) last = await append(pool, 'stuck', 100)
  await until('the writer to wait', async (saw) => {
    const { rows } = await pool.query(
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'tidemark sequencer'",
    )
    saw(rows)
    return rows.length > 0
  })

  const began = performance.now()
  await server.restart('fast')
  expect(performance.now() - began).toBeLessThan(5_000)
  await untilSequenced(pool, last)
  expect(await findFaults(pool)).toEqual([])
})

test('what the slot was told is durable survives a crash where commits are not synchronous by default', async () => {
  await pool.query('alter database postgres set synchronous_commit = off')
  onTestFinished(async () => {
    await pool.query('alter database postgres reset synchronous_commit')
  })
  await using sequencer = startSequencer({ connectionString: server.connectionString })
  await sequencer.untilLeading()
  for (let round = 0; round < 3; round += 1) {
    await untilSequenced(pool, await append(pool, 'async'))
    // Logs the running transactions, which lets the server save the slot with the next confirmation.
    // That can be asked for alone from version 16.
    await pool.query('checkpoint')
    const { lsn } = await untilSequenced(pool, await append(pool, 'async'))
    await until('the commit to be confirmed', async (saw) => {
      const { rows } = await pool.query('select * from pg_replication_slots')
      saw({ rows, lsn })
      return parseLsn(rows[0].confirmed_flush_lsn) >= parseLsn(lsn ?? '')
    })

    await server.restart('immediate')
    await sequencer.untilLeading()
    await untilSequenced(pool, await append(pool, 'async'))
    expect(await findFaults(pool)).toEqual([])
  }
})
