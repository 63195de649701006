import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { blockEventLoop } from '../support/block-event-loop.ts'
import { until } from '../support/until.ts'
import { append, findFaults, readLedger, untilSequenced, untilStreaming } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'
import { startServer } from './start-server.ts'

/** Processes that serve the sequencer. */
async function readSessions(pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query<{ pid: number }>(
    "select pid from pg_stat_activity where starts_with(application_name, 'tidemark sequencer')",
  )
  return rows.map(({ pid }) => pid)
}

/** Has the server append while this process cannot do anything. */
async function appendDuring(pool: pg.Pool, block: () => void): Promise<void> {
  const { rows } = await pool.query('select pg_backend_pid() as warm')
  expect(rows).toHaveLength(1)
  const appending = pool.query(/* sql */ `
    select tidemark.append('blocked-' || n, 'any', '[{"type": "noted", "data": {}}]')
    from pg_sleep(0.3), generate_series(1, 5) as n`)
  await until('the append to be under way', async () => {
    const { rows: waiting } = await pool.query(
      "select from pg_stat_activity where wait_event = 'PgSleep'",
    )
    return waiting.length > 0
  })
  block()
  await appending
}

describe.for(['0', '2s', '60s'])('with wal_sender_timeout = %s', (wal_sender_timeout) => {
  test('an event loop that is blocked for three seconds ends neither lead nor stream', async () => {
    const { connectionString, pool } = await startServer({ wal_sender_timeout })
    await using sequencer = startSequencer({ connectionString })
    await sequencer.untilLeading()
    const before = await untilStreaming(pool)
    const roles = sequencer.roles.length
    await appendDuring(pool, () => blockEventLoop(3_000))
    await untilSequenced(pool, await append(pool, 'after'))
    expect(await untilStreaming(pool)).toBe(before)
    expect(sequencer.roles.slice(roles)).toEqual([])
    expect(sequencer.log.at('warn')).toEqual([])
    expect(await findFaults(pool)).toEqual([])
    await sequencer.stop()
  })

  test('one that is blocked for longer than a leader may be silent costs a term and no event', async () => {
    const { connectionString, pool } = await startServer({ wal_sender_timeout })
    await using sequencer = startSequencer({ connectionString, leaderSilenceMs: 1_000 })
    await sequencer.untilLeading()
    await untilSequenced(pool, await append(pool, 'before'))
    const before = await untilStreaming(pool)
    const ledger = await readLedger(pool)
    const sessions = await until('the session that leads and the one that streams', async (saw) => {
      const found = await readSessions(pool)
      saw(found)
      return found.length === 2 && found
    })
    await appendDuring(pool, () => blockEventLoop(3_000))
    // The server has ended both by itself: nobody here could say anything.
    const left = await readSessions(pool)
    expect(left.filter((pid) => sessions.includes(pid))).toEqual([])
    await untilSequenced(pool, await append(pool, 'after'))
    expect(await untilStreaming(pool)).not.toBe(before)
    expect((await readLedger(pool)).slice(0, ledger.length)).toEqual(ledger)
    expect(await findFaults(pool)).toEqual([])
    await sequencer.stop()
  })
})
