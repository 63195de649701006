import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { advisoryLockKey } from '../../src/db/log-names.ts'
import { runSequencer } from '../../src/sequencer/sequencer.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { inBackground } from './background.ts'
import { append, dropLogSlots, findFaults, readLedger, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'

const database = useDatabase()

beforeAll(async () => {
  const first = startSequencer({ connectionString: database.connectionString })
  await first.untilLeading()
  await first.stop()
})

beforeEach(untilNoSequencer)

afterAll(() => dropLogSlots(database.connectionString))

interface Backend {
  readonly pid: number
  readonly name: string
}

async function sequencerBackends(): Promise<Backend[]> {
  const { rows } = await database.pool.query<Backend>(/* sql */ `
    select pid, application_name as name
    from pg_stat_activity
    where datname = current_database() and starts_with(application_name, 'tidemark')
    order by pid`)
  return rows
}

async function untilNoSequencer(): Promise<void> {
  await until('all sessions of sequencers to end', async (saw) => {
    const backends = await sequencerBackends()
    saw(backends)
    return backends.length === 0
  })
}

/** The backend that holds the leader's lock, and the one that streams. */
async function leaderBackends(): Promise<number[]> {
  const key = BigInt.asUintN(64, advisoryLockKey('tidemark', 'leader'))
  const { rows } = await database.pool.query<{ pid: number }>(
    /* sql */ `
    select l.pid
    from pg_locks as l
    join pg_database as d on d.oid = l.database
    where d.datname = current_database()
      and l.locktype = 'advisory' and l.granted and l.classid = $1 and l.objid = $2
    union all
    select active_pid
    from pg_replication_slots
    where database = current_database() and active`,
    [(key >> 32n).toString(), (key & 0xffff_ffffn).toString()],
  )
  return rows.map((row) => row.pid)
}

async function readGeneration(): Promise<bigint> {
  const { rows } = await database.pool.query('select generation::text from tidemark.sequencer')
  return BigInt(rows[0].generation)
}

/** Writes one made-up commit, as a leader of a generation would. */
function sequence(generation: bigint, after: bigint, transactionId: string) {
  return database.pool.query(
    /* sql */ `
    select sequenced, last_position::text
    from tidemark.sequence_commits($1, $2, '{1}', array[$3]::xid8[], '{1}', '{0/1}', '{now}')`,
    [generation.toString(), after.toString(), transactionId],
  )
}

test('of two sequencers one leads, and the other takes over when it stops', async () => {
  const [a, b] = [
    startSequencer({ connectionString: database.connectionString }),
    startSequencer({ connectionString: database.connectionString }),
  ]
  await using _a = a
  await using _b = b
  await until('one to lead', () => a.leads || b.leads)
  const [leader, standby] = a.leads ? [a, b] : [b, a]
  for (let i = 0; i < 5; i += 1) {
    await untilSequenced(database.pool, await append(database.pool, 'pair'))
    expect([leader.leads, standby.leads]).toEqual([true, false])
  }

  await leader.stop()
  await untilSequenced(database.pool, await append(database.pool, 'pair'))
  await standby.untilLeading()
  expect(await findFaults(database.pool)).toEqual([])
})

test('killing the backends of the leader, one or both, hands over and loses nothing', async () => {
  await using a = startSequencer({ connectionString: database.connectionString })
  await using b = startSequencer({ connectionString: database.connectionString })
  const writing = inBackground(async (signal) => {
    const client = await database.client()
    for (let i = 0; !signal.aborted; i += 1) await append(client, `kill-${i % 3}`)
  })
  const generations = new Set<bigint>()
  for (let i = 0; i < 9; i += 1) {
    await until('one to lead', () => a.leads || b.leads)
    const pids = await until('both backends of the leader', async (saw) => {
      const found = await leaderBackends()
      saw(found)
      return found.length === 2 && found
    })
    generations.add(await readGeneration())
    const chosen = [pids, pids.slice(0, 1), pids.slice(1)][i % 3] ?? []
    await database.pool.query('select pg_terminate_backend(p) from unnest($1::int[]) as p', [
      chosen,
    ])
    await untilSequenced(database.pool, await append(database.pool, 'kill-marker'))
  }
  await writing.stop()
  await untilSequenced(database.pool, await append(database.pool, 'kill-marker'))

  expect(generations.size).toBeGreaterThan(5)
  expect(await findFaults(database.pool)).toEqual([])
})

test('a leader that lost the lock lets go of the stream, even when nothing is appended', async () => {
  await using sequencer = startSequencer(database)
  await sequencer.untilLeading()
  const [lock, stream] = await leaderBackends()
  await database.pool.query('select pg_terminate_backend($1, 5000)', [lock])
  await until(
    'another term, on another stream',
    async (saw) => {
      const pids = await leaderBackends()
      saw({ pids, lock, stream })
      return pids.length === 2 && pids[0] !== lock && pids[1] !== stream
    },
    { timeoutMs: 3_000 },
  )
})

test('a leader that was superseded writes nothing', async () => {
  await using sequencer = startSequencer({ connectionString: database.connectionString })
  await sequencer.untilLeading()
  const row = await untilSequenced(database.pool, await append(database.pool, 'superseded'))
  const generation = await readGeneration()
  await sequencer.stop()
  const before = await readLedger(database.pool)

  await expect(sequence(generation - 1n, row.position, '3')).rejects.toMatchObject({
    code: 'TM007',
  })
  await expect(sequence(generation, row.position - 1n, '3')).rejects.toMatchObject({
    code: 'TM007',
  })
  await expect(sequence(generation, row.position, row.transactionId)).rejects.toMatchObject({
    code: '23505',
    constraint: 'commits_transaction_key',
  })
  expect(await readLedger(database.pool)).toEqual(before)

  await database.pool.query('select tidemark.take_lead($1)', [generation.toString()])
  await expect(sequence(generation, row.position, '3')).rejects.toMatchObject({ code: 'TM007' })
  await expect(
    database.pool.query('select tidemark.take_lead($1)', [generation.toString()]),
  ).rejects.toMatchObject({ code: 'TM007' })
  expect(await readLedger(database.pool)).toEqual(before)
})

test('a leader that another has followed behind its back is refused, and begins a new term', async () => {
  await using sequencer = startSequencer({
    connectionString: database.connectionString,
    mode: 'wal',
  })
  await sequencer.untilLeading()
  await untilSequenced(database.pool, await append(database.pool, 'followed'))
  const before = await readLedger(database.pool)
  const generation = await readGeneration()
  await database.pool.query('select tidemark.take_lead($1)', [generation.toString()])

  await untilSequenced(database.pool, await append(database.pool, 'followed'))
  expect(sequencer.log.withCode('SEQUENCER_SUPERSEDED')).toMatchObject([{ level: 'warn' }])
  expect(await readGeneration()).toBe(generation + 2n)
  expect((await readLedger(database.pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(database.pool)).toEqual([])
})

test('a commit that no snapshot shows yet is not written, nor one after it', async () => {
  await untilNoSequencer()
  const open = await database.client()
  await open.query('begin')
  const { rows } = await open.query('select pg_current_xact_id()::text as id')
  const generation = await readGeneration()
  const position = (await readLedger(database.pool)).at(-1)?.position ?? 0n
  const later = await append(database.pool, 'invisible')
  const { rows: written } = await database.pool.query(
    /* sql */ `
    select sequenced, last_position::text
    from tidemark.sequence_commits(
      $1, $2, '{1,1}', array[$3, $4]::xid8[], '{1,1}', '{0/1,0/2}', '{now,now}')`,
    [generation.toString(), position.toString(), rows[0].id, later],
  )
  await open.query('rollback')

  expect(written).toEqual([{ sequenced: 0, last_position: position.toString() }])
  expect((await readLedger(database.pool)).at(-1)?.position ?? 0n).toBe(position)
})

test('a small queue pauses the stream and loses nothing', async () => {
  for (let i = 0; i < 300; i += 1) await append(database.pool, `queue-${i % 7}`, 1 + (i % 2))
  await using _sequencer = startSequencer({
    connectionString: database.connectionString,
    maxBatch: 3,
    maxWaiting: 8,
  })
  for (let i = 0; i < 50; i += 1) await append(database.pool, 'queue-live')
  await untilSequenced(database.pool, await append(database.pool, 'queue-last'))
  expect(await findFaults(database.pool)).toEqual([])
})

test('leaves no session, stream or timer behind, however early it is stopped', async () => {
  const resources = () => process.getActiveResourcesInfo()
  await database.pool.query('select 1')
  const before = resources()
  for (let delayMs = 0; delayMs < 60; delayMs += 2) {
    const sequencer = startSequencer({ connectionString: database.connectionString })
    await sleep(delayMs)
    await sequencer.stop()
  }
  await untilNoSequencer()
  await until('the slot to be free', async (saw) => {
    const { rows } = await database.pool.query(
      'select slot_name, active_pid from pg_replication_slots where database = current_database()',
    )
    saw(rows)
    return rows.every((row) => row.active_pid === null)
  })
  await until('timers and sockets to be as before', (saw) => {
    saw({ before, now: resources() })
    return resources().length <= before.length
  })
})

test('does not gather listeners on its signal from one term to the next', async () => {
  let given: AbortSignal | undefined
  let isLeader = false
  const sequencer = inBackground((signal) => {
    given = signal
    const onRole = (role: string) => {
      isLeader = role === 'leader'
    }
    return runSequencer({ connectionString: database.connectionString, onRole }, signal)
  })
  const counts: number[] = []
  for (let term = 0; term < 5; term += 1) {
    await until('the sequencer to lead', () => isLeader)
    counts.push(given === undefined ? -1 : getEventListeners(given, 'abort').length)
    isLeader = false
    const pids = await leaderBackends()
    await database.pool.query('select pg_terminate_backend(p) from unnest($1::int[]) as p', [pids])
  }
  await sequencer.stop()
  expect(new Set(counts).size).toBe(1)
  expect(given === undefined ? -1 : getEventListeners(given, 'abort').length).toBe(0)
})
