import pg from 'pg'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { WalCommit } from '../../src/sequencer/commit-assembler.ts'
import { parseLsn } from '../../src/sequencer/lsn.ts'
import { WalStream, type WalStreamOptions } from '../../src/sequencer/wal-stream.ts'
import { until } from '../support/until.ts'
import { type Background, inBackground } from './background.ts'
import { append } from './ledger.ts'
import { startServer } from './start-server.ts'
import { readRecordAfter } from './wal-record.ts'

const slot = 'exact'
/** Confirmations of an idle server that are followed by a commit at the very next byte. */
const rounds = 5

// A server of its own, because nobody else may write to the WAL, and no sequencer, which does.
let connectionString: string
let pool: pg.Pool

beforeEach(async () => {
  const started = await startServer({ autovacuum: 'off' })
  connectionString = started.connectionString
  pool = started.pool
  await pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
})

/**
 * Streams from the slot. What it delivers is not said to be durable.
 *
 * @param recordEveryMs as if there were a sequencer that records so often how far the stream has come.
 */
function stream(options: Partial<WalStreamOptions> = {}, recordEveryMs: number | null = 10) {
  const commits: WalCommit[] = []
  let hasStarted = false
  const running: Background = inBackground(async (signal) => {
    const source = new WalStream({
      connectionString,
      slot,
      publication: 'tidemark_log',
      schema: 'tidemark',
      startLsn: 1n,
      statusIntervalMs: 10,
      onCommit: (commit) => commits.push(commit),
      ...options,
    })
    signal.addEventListener('abort', () => void source.stop(), { once: true })
    const record = () => source.recorded(source.lsn)
    const recording = recordEveryMs === null ? undefined : setInterval(record, recordEveryMs)
    await source
      .run(() => {
        hasStarted = true
      })
      .finally(() => clearInterval(recording))
  })
  return {
    ...running,
    commits,
    untilStarted: () => until('the stream to start', () => hasStarted),
  }
}

async function readConfirmed(): Promise<{ confirmed: string; flushed: string; free: boolean }> {
  const { rows } = await pool.query(/* sql */ `
    select
      confirmed_flush_lsn::text as confirmed,
      pg_current_wal_insert_lsn()::text as flushed,
      active_pid is null as free
    from pg_replication_slots`)
  return rows[0]
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  onTestFinished(() => client.end())
  await client.connect()
  return client
}

test('confirms a keepalive to the byte: what was open meanwhile and commits right there is not lost', async () => {
  const writer = await connect()
  let touching = 0
  for (let round = 0; touching < rounds; round += 1) {
    expect(round).toBeLessThan(rounds * 4)
    const first = stream()
    await first.untilStarted()
    await writer.query('begin')
    const id = await append(writer, 'open', 2)
    await pool.query('select pg_current_xact_id(), pg_logical_emit_message(false, $1, $1)', [
      'noise',
    ])
    // All that is written is confirmed, the rows of the open transaction too.
    const { confirmed, flushed } = await until('a keepalive to be confirmed', async (saw) => {
      const state = await readConfirmed()
      saw(state)
      return parseLsn(state.confirmed) >= parseLsn(state.flushed) && state
    })
    expect(first.commits).toEqual([])
    await first.stop()
    await until('the slot to be free', async () => (await readConfirmed()).free)

    const second = stream()
    await second.untilStarted()
    await writer.query('commit')
    const next = await readRecordAfter(pool, flushed)
    if (next.start === flushed && next.isCommit && next.xid === id) touching += 1
    await until('the commit', (saw) => {
      saw({ id, confirmed, next, commits: second.commits })
      return second.commits.length > 0
    })
    expect(second.commits).toMatchObject([{ transactionId: id, eventCount: 2 }])
    expect(confirmed).toBe(flushed)
    await second.stop()
    await until('the slot to be free', async () => (await readConfirmed()).free)
    await pool.query('select pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [slot])
  }
})

test('what was received and is not durable is not confirmed by a timer of the library', async () => {
  // The library's own, were it on, would confirm after ten seconds without a status of ours.
  const running = stream({ statusIntervalMs: 60_000, clientSilenceMs: 120_000 }, null)
  await running.untilStarted()
  await append(pool, 'received')
  const { endLsn } = await until('the commit', () => running.commits[0])
  const began = performance.now()
  await until(
    'twelve seconds to pass',
    async (saw) => {
      const state = await readConfirmed()
      saw(state)
      // What came before the commit may be confirmed late.
      expect(parseLsn(state.confirmed)).toBeLessThan(endLsn)
      return performance.now() - began > 12_000
    },
    { timeoutMs: 15_000, intervalMs: 200 },
  )
  await running.stop()
})
