import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import { useDatabase } from '../support/database.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { append, dropLogSlots, findFaults, publish, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'
import { startServer } from './start-server.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

function start(mode: SequencerMode = 'poll') {
  return startSequencer({ connectionString: database.connectionString, mode })
}

async function modeOf(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query('select mode from tidemark.sequencer')
  return rows[0].mode
}

async function reasonOf(pool: pg.Pool): Promise<string | null> {
  const { rows } = await pool.query('select poll_reason from tidemark.sequencer')
  return rows[0].poll_reason
}

interface Writer {
  readonly stop: () => Promise<readonly string[]>
}

/** @returns the transaction's id, if it was committed. */
async function writeOnce(pool: pg.Pool, name: string, random: Random): Promise<string | undefined> {
  const client = await pool.connect()
  await client.query('begin')
  const id = await append(client, `${name}-own`, random.between(1, 3))
  if (random.chance(0.5)) await append(client, `shared-${random.between(1, 2)}-${name}`)
  if (random.chance(0.2)) await sleep(random.between(1, 60))
  if (random.chance(0.3)) await publish(pool, `${name}-only`, random.between(1, 3))
  const isKept = random.chance(0.8)
  await client.query(isKept ? 'commit' : 'rollback')
  client.release()
  return isKept ? id : undefined
}

/** Appends in one transaction after the other, some rolled back, some open for a while. */
function startWriter(pool: pg.Pool, name: string, random: Random): Writer {
  let isOver = false
  const committed: string[] = []
  const writing = (async () => {
    while (!isOver) {
      const id = await writeOnce(pool, name, random)
      if (id !== undefined) committed.push(id)
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await writing
      return committed
    },
  }
}

describe('by polling', () => {
  test('a transaction that is open for long holds up nobody, and comes when it commits', async () => {
    await using sequencer = start()
    await sequencer.untilLeading()
    const client = await database.client()
    await client.query('begin')
    const open = await append(client, 'open', 2)
    const rows = []
    for (let n = 0; n < 5; n += 1) {
      rows.push(await untilSequenced(database.pool, await append(database.pool, 'free')))
    }
    await client.query('commit')
    const row = await untilSequenced(database.pool, open)
    expect(row.position).toBe((rows.at(-1)?.position ?? 0n) + 2n)
    expect(row.lsn).toBeNull()
    expect(await findFaults(database.pool)).toEqual([])
    await sequencer.stop()
  })

  test('a prepared transaction and one with savepoints are sequenced as they were kept', async () => {
    await using sequencer = start()
    await sequencer.untilLeading()
    const client = await database.client()
    await client.query('begin')
    const prepared = await append(client, 'prepared')
    await client.query("prepare transaction 'polled'")
    await client.query('begin')
    const kept = await append(client, 'saved', 2)
    await client.query('savepoint s')
    await append(client, 'saved', 5)
    await client.query('rollback to savepoint s')
    await client.query('commit')
    expect((await untilSequenced(database.pool, kept)).events).toBe(2)
    await client.query("commit prepared 'polled'")
    await untilSequenced(database.pool, prepared)
    expect(await findFaults(database.pool)).toEqual([])
    await sequencer.stop()
  })

  test('what one window holds is in the order of inserts, not of transaction ids', async () => {
    await using first = start()
    await untilSequenced(database.pool, await append(database.pool, 'window-before'))
    await first.stop()
    const early = await database.client()
    await early.query('begin')
    await early.query('select pg_current_xact_id()')
    const cause = await append(database.pool, 'window')
    const effect = await append(early, 'window')
    await early.query('commit')
    expect(BigInt(effect)).toBeLessThan(BigInt(cause))
    await using second = start()
    const row = await untilSequenced(database.pool, effect)
    expect(row.position).toBe((await untilSequenced(database.pool, cause)).position + 1n)
    await second.stop()
  })

  test('an idle log is looked at a few times a second, and not written', async () => {
    await using sequencer = start()
    await sequencer.untilLeading()
    await untilSequenced(database.pool, await append(database.pool, 'idle'))
    const read = async () => {
      const { rows } = await database.pool.query('select xmin, ctid from tidemark.sequencer')
      return rows[0]
    }
    const before = await read()
    await database.pool.query('select pg_current_xact_id()')
    await sleep(500)
    expect(await read()).toEqual(before)
    await sequencer.stop()
  })

  test('a leader that another has followed writes nothing more', async () => {
    await using first = start()
    await first.untilLeading()
    const { rows } = await database.pool.query('select generation from tidemark.sequencer')
    await first.stop()
    await using second = start()
    await second.untilLeading()
    const id = await append(database.pool, 'fenced')
    const stale = database.pool.query(
      'select * from tidemark.sequence_window($1, pg_current_snapshot())',
      [rows[0].generation],
    )
    await expect(stale).rejects.toMatchObject({ code: 'TM007' })
    await untilSequenced(database.pool, id)
    await second.stop()
  })
})

test('modes change while events come in: each gets one position, in an order that respects causes', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = seededRandom(seed)
  const writers = ['a', 'b', 'c', 'd'].map((name) =>
    startWriter(database.pool, `w${name}`, seededRandom(seed + name.charCodeAt(0))),
  )
  const before = await readLedger(database.pool)
  for (let round = 0; round < 8; round += 1) {
    const mode = round % 2 === 0 ? 'poll' : 'wal'
    await using sequencer = start(mode)
    await sequencer.untilLeading()
    expect(await modeOf(database.pool)).toBe(mode)
    await sleep(random.between(20, 200))
    await sequencer.stop()
  }
  const committed = await Promise.all(writers.map((writer) => writer.stop()))
  await using last = start(random.pick(['poll', 'wal']))
  for (const ids of committed) {
    expect(ids.length, `seed ${seed}`).toBeGreaterThan(5)
    for (const id of ids.slice(-1)) await untilSequenced(database.pool, id)
  }
  await last.stop()
  const ledger = await readLedger(database.pool)
  expect(ledger.slice(0, before.length)).toEqual(before)
  expect(await findFaults(database.pool), `seed ${seed}`).toEqual([])
  const places = new Map(ledger.map((row, place) => [row.transactionId, place]))
  for (const ids of committed) {
    const own = ids.map((id) => places.get(id) ?? -1)
    expect(own, `seed ${seed}`).toEqual(own.toSorted((a, b) => a - b))
    expect(own).not.toContain(-1)
  }
}, 60_000)

describe('on a server that cannot decode its WAL', () => {
  test('the log is sequenced by polling, without a person, also after a crash', async () => {
    const { server, connectionString, pool } = await startServer({ wal_level: 'replica' })
    await using sequencer = startSequencer({ connectionString })
    await sequencer.untilLeading()
    expect(sequencer.log.lines).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('wal_level is "replica"') }),
    )
    const writers = ['a', 'b'].map((name) => startWriter(pool, `w${name}`, seededRandom(7)))
    await until('some commits', async () => (await readLedger(pool)).length > 20)
    await Promise.all(writers.map((writer) => writer.stop()))
    await server.restart('immediate')
    await untilSequenced(pool, await append(pool, 'after'))
    expect(await findFaults(pool)).toEqual([])
    await sequencer.stop()
  }, 60_000)

  test('it is so where no slot is left, until there is one', async () => {
    const { connectionString, pool } = await startServer({ max_replication_slots: '1' })
    await pool.query("select pg_create_physical_replication_slot('taken')")
    await using sequencer = startSequencer({ connectionString })
    await sequencer.untilLeading()
    expect(await modeOf(pool)).toBe('poll')
    await untilSequenced(pool, await append(pool, 'polled'))
    expect(await reasonOf(pool)).toContain('no replication slot or sender is left')
    expect(sequencer.log.lines).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('no replication slot') }),
    )
    await sequencer.stop()
    await pool.query("select pg_drop_replication_slot('taken')")
    await using next = startSequencer({ connectionString })
    await next.untilLeading()
    expect(await modeOf(pool)).toBe('wal')
    expect(await reasonOf(pool)).toBeNull()
    await untilSequenced(pool, await append(pool, 'streamed'))
    expect(await findFaults(pool)).toEqual([])
    await next.stop()
  }, 60_000)
})
