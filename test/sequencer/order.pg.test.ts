import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrate } from '../../src/worker/migrate.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import {
  append,
  dropLogSlots,
  findFaults,
  readLedger,
  readOrder,
  untilSequenced,
} from './ledger.ts'
import { type StartedSequencer, startSequencer } from './start-sequencer.ts'

const database = useDatabase()
let sequencer: StartedSequencer

beforeAll(async () => {
  sequencer = startSequencer({ connectionString: database.connectionString })
  await sequencer.untilLeading()
})

afterAll(async () => {
  await sequencer.stop()
  await dropLogSlots(database.connectionString)
})

/** The part of the log that a test wrote, in order. */
async function orderOf(prefix: string): Promise<string[]> {
  return (await readOrder(database.pool)).filter((event) => event.startsWith(prefix))
}

test('positions follow commit order where it is not insert order', async () => {
  const [first, second] = [await database.client(), await database.client()]
  await first.query('begin')
  const a = await append(first, 'commit-a', 2)
  await second.query('begin')
  const b = await append(second, 'commit-b')
  await second.query('commit')
  const rowOfB = await untilSequenced(database.pool, b)
  await first.query('commit')
  const rowOfA = await untilSequenced(database.pool, a)

  expect(BigInt(a)).toBeLessThan(BigInt(b))
  expect(rowOfA.position).toBe(rowOfB.position + 2n)
  expect(await orderOf('commit-')).toEqual(['commit-b/1', 'commit-a/1', 'commit-a/2'])
})

test('positions follow commit order when two open transactions insert by turns', async () => {
  const [first, second] = [await database.client(), await database.client()]
  await first.query('begin')
  await second.query('begin')
  for (let i = 0; i < 3; i += 1) {
    await append(first, 'turns-a')
    await append(second, 'turns-b')
    await append(first, 'turns-c')
  }
  const b = await append(second, 'turns-b')
  await second.query('commit')
  const a = await append(first, 'turns-a')
  await first.query('commit')

  await untilSequenced(database.pool, a)
  expect(await orderOf('turns-')).toEqual([
    ...['turns-b/1', 'turns-b/2', 'turns-b/3', 'turns-b/4'],
    ...['turns-a/1', 'turns-c/1', 'turns-a/2', 'turns-c/2', 'turns-a/3', 'turns-c/3', 'turns-a/4'],
  ])
  expect((await untilSequenced(database.pool, b)).events).toBe(4)
})

test('a writer that waits for the stream comes after the one that held it', async () => {
  const [first, second] = [await database.client(), await database.client()]
  await first.query('begin')
  const a = await append(first, 'held-a')
  await second.query('begin')
  await append(second, 'held-b')
  const waiting = append(second, 'held-a')
  await until('the second writer to wait for the stream', async (saw) => {
    const { rows } = await database.pool.query(
      /* sql */ `
      select l.pid
      from pg_locks as l
      join pg_database as d on d.oid = l.database
      where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`,
    )
    saw(rows)
    return rows.length > 0
  })
  await append(first, 'held-b-not')
  await first.query('commit')
  const b = await waiting
  await second.query('commit')

  await untilSequenced(database.pool, b)
  // The second transaction inserted into held-b before the first one committed.
  expect(await orderOf('held-')).toEqual(['held-a/1', 'held-b-not/1', 'held-b/1', 'held-a/2'])
  expect((await untilSequenced(database.pool, a)).events).toBe(2)
})

test('what was rolled back leaves no trace and takes no position', async () => {
  const before = await readLedger(database.pool)
  const client = await database.client()
  await client.query('begin')
  await append(client, 'undone-a', 5)
  await client.query('rollback')
  const kept = await append(database.pool, 'undone-b')

  const row = await untilSequenced(database.pool, kept)
  expect(row.position).toBe((before.at(-1)?.position ?? 0n) + 1n)
  expect(await orderOf('undone-')).toEqual(['undone-b/1'])
})

test('a transaction with savepoints is one row that counts only what was kept', async () => {
  const client = await database.client()
  await client.query('begin')
  await append(client, 'save-a', 2)
  await client.query('savepoint one')
  await append(client, 'save-b', 3)
  await client.query('rollback to savepoint one')
  await client.query('savepoint two')
  await append(client, 'save-c', 4)
  await client.query('savepoint three')
  const id = await append(client, 'save-a')
  await client.query('commit')

  const row = await untilSequenced(database.pool, id)
  expect(row.events).toBe(7)
  expect(await orderOf('save-')).toEqual([
    ...['save-a/1', 'save-a/2', 'save-c/1', 'save-c/2', 'save-c/3', 'save-c/4', 'save-a/3'],
  ])
})

test('a transaction whose events are all rolled back to a savepoint has no row', async () => {
  const client = await database.client()
  await client.query('begin')
  await client.query('savepoint one')
  const gone = await append(client, 'nothing-a', 2)
  await client.query('rollback to savepoint one')
  await client.query('commit')
  await untilSequenced(database.pool, await append(database.pool, 'nothing-b'))

  const ledger = await readLedger(database.pool)
  expect(ledger.map((row) => row.transactionId)).not.toContain(gone)
})

test('a prepared transaction is sequenced when it is committed', async () => {
  const client = await database.client()
  await client.query('begin')
  const prepared = await append(client, 'two-phase-a', 2)
  await client.query("prepare transaction 'order test'")
  const between = await untilSequenced(database.pool, await append(database.pool, 'two-phase-b'))
  await client.query("commit prepared 'order test'")

  const row = await untilSequenced(database.pool, prepared)
  expect(row).toMatchObject({ events: 2, position: between.position + 2n })
  expect(await orderOf('two-phase-')).toEqual(['two-phase-b/1', 'two-phase-a/1', 'two-phase-a/2'])
})

test('a prepared transaction that is rolled back has no row', async () => {
  const client = await database.client()
  await client.query('begin')
  const prepared = await append(client, 'two-phase-c')
  await client.query("prepare transaction 'order test'")
  await client.query("rollback prepared 'order test'")
  await untilSequenced(database.pool, await append(database.pool, 'two-phase-d'))

  const ledger = await readLedger(database.pool)
  expect(ledger.map((row) => row.transactionId)).not.toContain(prepared)
})

test('commits carry ascending lsns and the time at which they were made', async () => {
  const { rows: before } = await database.pool.query('select clock_timestamp()::text as at')
  const ids = []
  for (let i = 0; i < 5; i += 1) ids.push(await append(database.pool, 'time-a'))
  const { rows: after } = await database.pool.query('select clock_timestamp()::text as at')
  for (const id of ids) await untilSequenced(database.pool, id)

  const { rows } = await database.pool.query(
    /* sql */ `
    select bool_and(committed_at between $2 and $3) as timely, bool_and(ascending) as ascending
    from (
      select *, lsn > lag(lsn) over (order by position) is not false as ascending
      from tidemark.commits
    ) as c
    where transaction_id::text = any ($1)`,
    [ids, before[0].at, after[0].at],
  )
  expect(rows).toEqual([{ timely: true, ascending: true }])
})

test('events of two logs in one database do not mix', async () => {
  const schema = 'billing'
  await migrate({ connectionString: database.connectionString, schema, jobSchema: false })
  const billing = startSequencer({ connectionString: database.connectionString, schema })
  try {
    const both = await database.client()
    await both.query('begin')
    const shared = await append(both, 'logs-both', 2)
    await append(both, 'logs-both', 3, schema)
    await both.query('commit')
    const ours = await append(database.pool, 'logs-ours')
    const theirs = await append(database.pool, 'logs-theirs', 1, schema)
    await untilSequenced(database.pool, ours)
    await untilSequenced(database.pool, theirs, { schema })

    expect(await readOrder(database.pool, schema)).toEqual([
      ...['logs-both/1', 'logs-both/2', 'logs-both/3', 'logs-theirs/1'],
    ])
    expect(await orderOf('logs-')).toEqual(['logs-both/1', 'logs-both/2', 'logs-ours/1'])
    expect((await untilSequenced(database.pool, shared)).events).toBe(2)
    expect((await readLedger(database.pool, schema)).map((row) => row.position)).toEqual([3n, 4n])
    expect(await findFaults(database.pool, schema)).toEqual([])
  } finally {
    await billing.stop()
    await dropLogSlots(database.connectionString, schema)
  }
})

describe('whatever interleaving of open transactions', () => {
  type Step = { readonly writer: number; readonly act: 'append' | 'save' | 'undo' | 'end' | 'drop' }

  interface Writer {
    readonly client: pg.Client
    readonly stream: string
    version: number
    open: boolean
    pending: string[]
    savepoints: { readonly pending: number; readonly version: number }[]
    start: number
  }

  const writerCount = 4
  const step: fc.Arbitrary<Step> = fc.record({
    writer: fc.integer({ min: 0, max: writerCount - 1 }),
    act: fc.constantFrom('append', 'append', 'append', 'save', 'undo', 'end', 'end', 'drop'),
  })

  /** Takes a step, and adds what it commits to the expected order. */
  async function take(writer: Writer, act: Step['act'], expected: string[]): Promise<void> {
    const { client } = writer
    if (!writer.open) {
      await client.query('begin')
      Object.assign(writer, { open: true, pending: [], savepoints: [], start: writer.version })
    }
    switch (act) {
      case 'append':
        await append(client, writer.stream)
        writer.version += 1
        writer.pending.push(`${writer.stream}/${writer.version}`)
        return
      case 'save':
        await client.query(`savepoint s${writer.savepoints.length}`)
        writer.savepoints.push({ pending: writer.pending.length, version: writer.version })
        return
      case 'undo': {
        const savepoint = writer.savepoints.pop()
        if (savepoint === undefined) return
        await client.query(`rollback to savepoint s${writer.savepoints.length}`)
        writer.pending.length = savepoint.pending
        writer.version = savepoint.version
        return
      }
      case 'end':
        await client.query('commit')
        expected.push(...writer.pending)
        writer.open = false
        return
      case 'drop':
        await client.query('rollback')
        writer.version = writer.start
        writer.open = false
    }
  }

  test('the log is in the order of the commits, sequenced one by one or all at once', async () => {
    const clients = await Promise.all(Array.from({ length: writerCount }, () => database.client()))
    const blocker = await database.client()
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        async (steps, allAtOnce) => {
          const prefix = `any-${run++}-`
          const writers = clients.map(
            (client, i): Writer => ({
              client,
              stream: `${prefix}${i}`,
              version: 0,
              open: false,
              pending: [],
              savepoints: [],
              start: 0,
            }),
          )
          const expected: string[] = []
          await blocker.query('begin')
          // Nothing is written to the ledger meanwhile.
          if (allAtOnce) await blocker.query('lock table tidemark.commits in exclusive mode')
          for (const { writer, act } of steps) await take(writers[writer] as Writer, act, expected)
          for (const writer of writers) if (writer.open) await take(writer, 'end', expected)
          await blocker.query('commit')
          const last = await append(database.pool, `${prefix}last`)
          await untilSequenced(database.pool, last)
          expect(await orderOf(prefix)).toEqual([...expected, `${prefix}last/1`])
        },
      ),
      { numRuns: 20 },
    )
    expect(await findFaults(database.pool)).toEqual([])
  })
})

test('many writers at once leave dense positions, whole commits and ascending versions', async () => {
  const writers = await Promise.all(Array.from({ length: 8 }, () => database.client()))
  await Promise.all(
    writers.map(async (client, writer) => {
      for (let i = 0; i < 25; i += 1) {
        const undo = (writer + i) % 5 === 0
        await client.query('begin')
        // In one order for all writers, so that they do not wait for each other in a circle.
        for (const stream of [i % 3, 3 + (writer % 4)])
          await append(client, `many-${stream}`, 1 + (i % 3))
        await client.query(undo ? 'rollback' : 'commit')
      }
    }),
  )
  await untilSequenced(database.pool, await append(database.pool, 'many-last'))

  expect(await orderOf('many-')).toHaveLength(await countEvents('many-'))
  expect(await findFaults(database.pool)).toEqual([])
})

async function countEvents(prefix: string): Promise<number> {
  const { rows } = await database.pool.query(
    'select count(*)::integer as n from tidemark.events where starts_with(stream_id, $1)',
    [prefix],
  )
  return rows[0].n
}
