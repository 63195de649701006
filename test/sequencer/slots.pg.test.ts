import { randomBytes } from 'node:crypto'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { dropDatabase, withDatabase } from '../support/drop-database.ts'
import { queryOnce } from '../support/query-once.ts'
import { until } from '../support/until.ts'
import {
  append,
  dropLogSlots,
  findFaults,
  readLedger,
  readOrder,
  untilSequenced,
} from './ledger.ts'
import { recordedSlot } from './recorded-slot.ts'
import { type StartedSequencer, startSequencer } from './start-sequencer.ts'

const server = inject('postgres')

/** A database whose slots are dropped before it is. */
async function createDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(async () => {
    await dropLogSlots(database.connectionString)
    await database[Symbol.asyncDispose]()
  })
  return database
}

interface SlotRow {
  readonly name: string
  readonly pid: number | null
}

async function listSlots(database: TestDatabase): Promise<SlotRow[]> {
  const { rows } = await database.pool.query<SlotRow>(/* sql */ `
    select slot_name::text as name, active_pid as pid
    from pg_replication_slots
    where database = current_database()
    order by slot_name`)
  return rows
}

/** Runs a sequencer that never polls: not even while making a slot takes long. */
function startOnSlot({
  connectionString,
}: Pick<TestDatabase, 'connectionString'>): StartedSequencer {
  return startSequencer({ connectionString, mode: 'wal' })
}

/** Drops the slot under a running sequencer, whoever streams from it. */
async function stealSlot(database: TestDatabase): Promise<void> {
  const stolen = await recordedSlot(database)
  await until('the slot to be dropped', async (saw) => {
    try {
      await database.pool.query(
        /* sql */ `
        select pg_terminate_backend(active_pid, 1000)
        from pg_replication_slots
        where slot_name = $1 and active_pid is not null`,
        [stolen],
      )
      await database.pool.query('select pg_drop_replication_slot($1)', [stolen])
      return true
    } catch (error) {
      saw(error)
      return (error as { code: string }).code === '42704'
    }
  })
}

test('keeps its slot from one run to the next', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await first.untilLeading()
  const slot = await recordedSlot(database)
  await first.stop()
  const missed = await append(database.pool, 'missed')
  await using second = startOnSlot(database)
  await untilSequenced(database.pool, missed)
  await second.stop()

  expect(await recordedSlot(database)).toBe(slot)
  await until('the slot to be free', async (saw) => {
    const slots = await listSlots(database)
    saw(slots)
    return slots.length === 1 && slots[0]?.name === slot && slots[0]?.pid === null
  })
  expect((await readLedger(database.pool)).at(-1)?.lsn).not.toBeNull()
})

test('sequences what was appended before the first slot', async () => {
  const database = await createDatabase()
  for (let i = 0; i < 3; i += 1) await append(database.pool, `early-${i}`, i + 1)
  await using _sequencer = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'late'))

  expect(await findFaults(database.pool)).toEqual([])
  expect(await readOrder(database.pool)).toEqual([
    ...['early-0/1', 'early-1/1', 'early-1/2', 'early-2/1', 'early-2/2', 'early-2/3', 'late/1'],
  ])
})

test('a slot that was dropped while no worker ran costs nothing', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'before', 3))
  await first.stop()
  const before = await readLedger(database.pool)
  const lost = await recordedSlot(database)

  await append(database.pool, 'unseen', 2)
  await stealSlot(database)
  const client = await database.client()
  await client.query('begin')
  await append(client, 'open-while-dropped')
  const unseen = await append(database.pool, 'unseen', 2)
  await client.query('commit')
  await using second = startOnSlot(database)
  await untilSequenced(database.pool, unseen)
  await untilSequenced(database.pool, await append(database.pool, 'after'))

  expect(await recordedSlot(database)).not.toBe(lost)
  expect((await readLedger(database.pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(database.pool)).toEqual([])
  await second.stop()
})

test('a slot that is dropped under a running worker, again and again, costs nothing', async () => {
  const database = await createDatabase()
  await using sequencer = startOnSlot(database)
  await sequencer.untilLeading()

  let appending = true
  const writers = [0, 1, 2].map(async (writer) => {
    const client = await database.client()
    for (let i = 0; appending; i += 1) {
      await client.query('begin')
      await append(client, `stream-${writer}`, 1 + (i % 3))
      await append(client, `common-${i % 2}`)
      await client.query(i % 4 === 0 ? 'rollback' : 'commit')
    }
  })
  const seen = new Map<string, bigint>()
  for (let i = 0; i < 3; i += 1) {
    await stealSlot(database)
    await untilSequenced(database.pool, await append(database.pool, 'marker'))
    for (const { transactionId, position } of await readLedger(database.pool)) {
      expect(seen.get(transactionId) ?? position).toBe(position)
      seen.set(transactionId, position)
    }
  }
  appending = false
  await Promise.all(writers)
  await untilSequenced(database.pool, await append(database.pool, 'last'))

  expect(await findFaults(database.pool)).toEqual([])
  expect(await listSlots(database)).toHaveLength(1)
})

test('a slot that somebody else made under the recorded name is not trusted', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'before'))
  const slot = await recordedSlot(database)
  await first.stop()
  const before = await readLedger(database.pool)

  await database.pool.query('select pg_drop_replication_slot($1)', [slot])
  await append(database.pool, 'unseen', 2)
  await database.pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
  await using second = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'after'))

  expect((await readLedger(database.pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(database.pool)).toEqual([])
  expect(await readOrder(database.pool)).toEqual(['before/1', 'unseen/1', 'unseen/2', 'after/1'])
  expect(await recordedSlot(database)).not.toBe(slot)
  await second.stop()
})

test('keeps a slot over which other tables were written meanwhile, and what was read of them', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'before'))
  const slot = await recordedSlot(database)
  await database.pool.query('create table noise (filler text)')
  const { rows: start } = await database.pool.query('select pg_current_wal_lsn()::text as lsn')
  await database.pool.query(
    "insert into noise select repeat('x', 500) from generate_series(1, 5000)",
  )
  await until('the slot to be confirmed beyond the start of that', async (saw) => {
    const { rows } = await database.pool.query(
      /* sql */ `
      select s.lsn > $1 and r.confirmed_flush_lsn = s.lsn as is_confirmed
      from tidemark.sequencer as s
      join pg_replication_slots as r on r.slot_name = s.slot_name`,
      [start[0].lsn],
    )
    saw(rows)
    return rows[0]?.is_confirmed === true
  })
  await first.stop()

  const unseen = await append(database.pool, 'unseen')
  await using second = startOnSlot(database)
  await untilSequenced(database.pool, unseen)
  expect(await recordedSlot(database)).toBe(slot)
  expect(await findFaults(database.pool)).toEqual([])
  await second.stop()
})

test('drops a slot that was made and never recorded', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'first'))
  await first.stop()
  const recorded = await recordedSlot(database)
  const orphan = recorded.replace(/[0-9a-f]{12}$/, randomBytes(6).toString('hex'))
  await database.pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [orphan])
  await database.pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [
    `stranger_${database.name}`,
  ])
  onTestFinished(async () => {
    await database.pool.query("select pg_drop_replication_slot('stranger_' || current_database())")
  })

  await using second = startOnSlot(database)
  await second.untilLeading()
  expect((await listSlots(database)).map(({ name }) => name)).toEqual(
    [`stranger_${database.name}`, recorded].sort(),
  )
})

test('a copy of the database does not trust the slot of the original', async () => {
  const original = await createDatabase()
  await using first = startOnSlot(original)
  await untilSequenced(original.pool, await append(original.pool, 'shared', 2))
  await first.stop()
  const slot = await recordedSlot(original)
  const unsequenced = await append(original.pool, 'shared')
  await original.pool.end()

  const name = `${server.databasePrefix}_${randomBytes(4).toString('hex')}`
  const connectionString = withDatabase(server.connectionString, name)
  await until('the sessions of the original to end', async (saw) => {
    const sessions = await queryOnce(
      server.connectionString,
      'select pid, application_name from pg_stat_activity where datname = $1',
      [original.name],
    )
    saw(sessions)
    return sessions.length === 0
  })
  await queryOnce(server.connectionString, `create database ${name} template ${original.name}`)
  onTestFinished(() => dropDatabase(server.connectionString, name))

  await using copy = startOnSlot({ connectionString })
  await copy.untilLeading()
  const ask = {
    query: (text: string) => queryOnce(connectionString, text).then((rows) => ({ rows })),
  }
  await untilSequenced(ask, unsequenced)
  const [row] = await queryOnce<{ slot_name: string; own: boolean }>(
    connectionString,
    /* sql */ `
    select s.slot_name, r.database = current_database() as own
    from tidemark.sequencer as s
    join pg_replication_slots as r on r.slot_name = s.slot_name`,
  )
  expect(row).toEqual({ slot_name: expect.not.stringMatching(slot), own: true })
  expect(await findFaults(ask)).toEqual([])

  const slots = await queryOnce(
    server.connectionString,
    'select slot_name::text from pg_replication_slots where database = $1',
    [original.name],
  )
  expect(slots).toEqual([{ slot_name: slot }])
  await copy.stop()
})

test('a renamed database leaves no slot behind that nobody reads', async () => {
  const database = await createTestDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'first'))
  await first.stop()
  await database.pool.end()

  const name = `${server.databasePrefix}_${randomBytes(4).toString('hex')}`
  const connectionString = withDatabase(server.connectionString, name)
  onTestFinished(() => dropDatabase(server.connectionString, name))
  await until('the database to be renamed', async (saw) => {
    try {
      await queryOnce(server.connectionString, `alter database ${database.name} rename to ${name}`)
      return true
    } catch (error) {
      saw(error)
      return false
    }
  })
  await using second = startOnSlot({ connectionString })
  await second.untilLeading()
  const slots = await queryOnce(
    server.connectionString,
    'select slot_name::text, active from pg_replication_slots where database = $1',
    [name],
  )
  expect(slots).toEqual([{ slot_name: expect.any(String), active: true }])
  await second.stop()
})

test('a log that moved to another cluster begins an incarnation and keeps its positions', async () => {
  const database = await createDatabase()
  await using first = startOnSlot(database)
  await untilSequenced(database.pool, await append(database.pool, 'old', 3))
  await first.stop()
  const before = await readLedger(database.pool)
  await append(database.pool, 'old')
  await database.pool.query('update tidemark.sequencer set system_identifier = 1')

  await using second = startOnSlot(database)
  await second.untilLeading()
  await untilSequenced(database.pool, await append(database.pool, 'old'))
  const ledger = await readLedger(database.pool)
  expect(ledger.slice(0, before.length)).toEqual(before)
  expect(ledger.map((row) => row.incarnation)).toEqual([1, 1, 2])
  expect(await findFaults(database.pool)).toEqual([])
  await second.stop()
})

test('ends at once when it is stopped while a long transaction keeps it from making a slot', async () => {
  const database = await createDatabase()
  const client = await database.client()
  await client.query('begin')
  await client.query('select pg_current_xact_id()')
  await using sequencer = startSequencer(database)
  await until('the new slot to wait for the transaction', async (saw) => {
    const { rows } = await database.pool.query(/* sql */ `
      select a.wait_event_type, a.wait_event
      from pg_stat_activity as a
      where a.application_name like 'tidemark sequencer (new slot)%' and a.datname = current_database()`)
    saw(rows)
    return rows[0]?.wait_event_type === 'Lock'
  })

  let ended = false
  const stopping = sequencer.stop().finally(() => {
    ended = true
  })
  stopping.catch(() => {})
  try {
    await until('the sequencer to end', () => ended, { timeoutMs: 3_000 })
    await until('its sessions to end', async (saw) => {
      const { rows } = await database.pool.query(/* sql */ `
        select application_name, state
        from pg_stat_activity
        where datname = current_database() and application_name like 'tidemark%'`)
      saw(rows)
      return rows.length === 0
    })
  } finally {
    await client.query('rollback')
    await stopping
  }
  expect(await listSlots(database)).toEqual([])
})
