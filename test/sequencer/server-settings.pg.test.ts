import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { append, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'
import { startServer } from './start-server.ts'

test('a slot that the server invalidated is replaced, and the ledger goes on exactly', async () => {
  const { connectionString, pool } = await startServer({
    max_slot_wal_keep_size: '16MB',
    min_wal_size: '32MB',
    max_wal_size: '32MB',
  })
  /** Writes so much WAL that the server gives up on slots that are behind. */
  const invalidate = () =>
    until('the server to give up on the slot', async (saw) => {
      await pool.query("select pg_logical_emit_message(false, 'noise', 'noise')")
      await pool.query('select pg_switch_wal()')
      await pool.query('checkpoint')
      const { rows } = await pool.query(
        'select slot_name, wal_status, active_pid from pg_replication_slots',
      )
      saw(rows)
      return rows[0]?.wal_status === 'lost'
    })

  await using first = startSequencer({ connectionString, mode: 'wal' })
  await untilSequenced(pool, await append(pool, 'before', 3))
  await first.untilLeading()
  await first.stop()
  const before = await readLedger(pool)
  await append(pool, 'unseen', 2)
  await invalidate()
  const unseen = await append(pool, 'unseen', 2)

  await using second = startSequencer({ connectionString, mode: 'wal' })
  await untilSequenced(pool, unseen)
  await untilSequenced(pool, await append(pool, 'after'))
  expect((await readLedger(pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(pool)).toEqual([])
  const { rows } = await pool.query('select wal_status from pg_replication_slots')
  expect(rows).toEqual([{ wal_status: 'reserved' }])
  await second.stop()
})

test('says that wal_level is insufficient, and asks less and less often', async () => {
  const { connectionString, pool, warnings } = await startServer({ wal_level: 'replica' })
  expect(warnings).toEqual([expect.stringContaining('wal_level is "replica"')])

  const began = performance.now()
  await using sequencer = startSequencer({ connectionString, mode: 'wal' })
  const times: number[] = []
  await until('four attempts', () => {
    const attempts = sequencer.log.withCode('WAL_LEVEL_INSUFFICIENT')
    while (times.length < attempts.length) times.push(performance.now() - began)
    return times.length >= 4
  })
  expect(sequencer.log.lines).toHaveLength(sequencer.log.withCode('WAL_LEVEL_INSUFFICIENT').length)
  expect(sequencer.log.lines[0]).toMatchObject({
    level: 'warn',
    message: expect.stringContaining('alter system set wal_level = logical'),
  })
  // Pauses of at least 100, 200 and 400 ms lie between four attempts.
  expect(times[3]).toBeGreaterThan(650)
  expect(sequencer.roles).not.toContain('leader')

  await append(pool, 'kept')
  expect(await readLedger(pool)).toEqual([])
  const { rows } = await pool.query('select slot_name from pg_replication_slots')
  expect(rows).toEqual([])
})
