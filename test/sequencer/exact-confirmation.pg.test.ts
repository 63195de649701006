import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { formatLsn, parseLsn } from '../../src/sequencer/lsn.ts'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'
import { until } from '../support/until.ts'
import { append, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'
import { readRecordAfter } from './wal-record.ts'

/** Cuts between two commits that touch each other in the WAL. */
const rounds = 20

// A server of its own, because nobody else may write to the WAL between two commits.
let server: EmbeddedPostgres
let pool: pg.Pool
let writers: readonly [pg.Client, pg.Client]

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.connectionString })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Holds up the ledger rows that are to wait, until it is released. */
async function takeHold() {
  const client = await connect()
  onTestFinished(() => client.end())
  return {
    hold: () => client.query('select pg_advisory_lock(1)'),
    release: () => client.query('select pg_advisory_unlock(1)'),
  }
}

beforeAll(async () => {
  server = await startChosenPostgres({ durable: false, settings: { autovacuum: 'off' } })
  const { connectionString } = server
  await migrate({ connectionString, jobSchema: false })
  pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  writers = [await connect(), await connect()]
  // Holds up the ledger row of one transaction, as a busy server would.
  await pool.query(/* sql */ `
    create table held_up (transaction_id xid8);
    create function hold_up() returns trigger language plpgsql as $$
    begin
      if exists (select from public.held_up where transaction_id = new.transaction_id) then
        perform pg_advisory_xact_lock(1);
      end if;
      return new;
    end $$;
    create trigger hold_up before insert on tidemark.commits
      for each row execute function hold_up()`)
})

afterAll(async () => {
  await Promise.all([pool?.end(), ...(writers ?? []).map((writer) => writer.end())])
  await server?.stop()
})

async function readSlot(): Promise<{ confirmed: string; pid: number | null }> {
  const { rows } = await pool.query(
    'select confirmed_flush_lsn::text as confirmed, active_pid as pid from pg_replication_slots',
  )
  return rows[0]
}

/**
 * Commits two open transactions so that nothing is between their commit records: the first commit
 * does not wait for its flush, so that both go to disk, and to the stream, together.
 */
async function commitTogether(round: number): Promise<readonly [string, string]> {
  const ids: string[] = []
  for (const [index, writer] of writers.entries()) {
    await writer.query('begin')
    ids.push(await append(writer, `touching-${index}`, 1 + (round % 3)))
  }
  const [first = '', second = ''] = ids
  await pool.query('insert into held_up values ($1)', [second])
  await writers[0].query('set local synchronous_commit = off')
  await writers[0].query('commit')
  await writers[1].query('commit')
  return [first, second]
}

test('confirms to the byte: a commit that begins where a confirmed one ends is never lost', async () => {
  const holder = await takeHold()
  await using sequencer = startSequencer({
    connectionString: server.connectionString,
    maxBatch: 1,
  })
  await sequencer.untilLeading()

  let touching = 0
  for (let round = 0; touching < rounds; round += 1) {
    expect(round).toBeLessThan(rounds * 3)
    await holder.hold()
    const [first, second] = await commitTogether(round)
    const { lsn } = await untilSequenced(pool, first)
    const confirmed = await until('the first commit to be confirmed', async (saw) => {
      const slot = await readSlot()
      saw({ slot, lsn })
      return parseLsn(slot.confirmed) >= parseLsn(lsn ?? '') && slot
    })
    // The second is received and waits, so that not even a keepalive may be confirmed.
    expect(confirmed.confirmed).toBe(lsn)
    const next = await readRecordAfter(pool, lsn ?? '')
    if (next.start === lsn && next.xid === second && next.isCommit) touching += 1

    await pool.query(/* sql */ `
      select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
      where starts_with(application_name, 'tidemark sequencer')`)
    await holder.release()
    await untilSequenced(pool, second)
    await sequencer.untilLeading()
  }
  await sequencer.stop()
  expect(await findFaults(pool)).toEqual([])
})

test('confirms the end of the last commit, and not what was received and is not written', async () => {
  const holder = await takeHold()
  await using sequencer = startSequencer({ connectionString: server.connectionString })
  await sequencer.untilLeading()
  const written = await untilSequenced(pool, await append(pool, 'written'))
  await holder.hold()
  const waiting = [await holdUp(), await holdUp()]
  // Keepalives come and go meanwhile.
  for (let i = 0; i < 20; i += 1) {
    await pool.query('create temporary table noise as select generate_series(1, 1000) as n')
    await pool.query('drop table noise')
  }
  const held = await until('the writer to be held up', async (saw) => {
    const { rows } = await pool.query(
      "select pid from pg_locks where locktype = 'advisory' and not granted",
    )
    saw(rows)
    return rows.length > 0 && readSlot()
  })
  await holder.release()
  const first = await untilSequenced(pool, waiting[0] ?? '')
  const { previous: commit } = await readRecordAfter(pool, first.lsn ?? '')
  expect(parseLsn(held.confirmed)).toBeGreaterThanOrEqual(parseLsn(written.lsn ?? ''))
  expect(parseLsn(held.confirmed)).toBeLessThanOrEqual(parseLsn(commit))

  await untilSequenced(pool, waiting[1] ?? '')
  await sequencer.stop()
  const last = (await readLedger(pool)).at(-1)
  const slot = await readSlot()
  expect(parseLsn(slot.confirmed)).toBeGreaterThanOrEqual(parseLsn(last?.lsn ?? ''))
  expect(formatLsn(parseLsn(slot.confirmed))).toBe(slot.confirmed)
})

/** Commits an event whose ledger row is held up. */
async function holdUp(): Promise<string> {
  const [writer] = writers
  await writer.query('begin')
  const id = await append(writer, 'held-up')
  await pool.query('insert into held_up values ($1)', [id])
  await writer.query('commit')
  return id
}
