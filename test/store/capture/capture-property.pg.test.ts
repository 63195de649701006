import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type pg from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { sequence } from '../../sql/log-fixture.ts'
import { breakFunction } from '../../support/break-function.ts'
import { useDatabase } from '../../support/database.ts'
import { type CapturedEvent, foldRows } from './capture-fixture.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())

/** Few keys, so that sessions meet; and the same table and category in each run, so that streams go on. */
const ids = 6

let run = 0

/** Makes a table of its own for a test, and captures it. */
beforeEach(async () => {
  run += 1
  await database.pool.query(`
    create schema run${run};
    create table run${run}.items (id integer primary key, n numeric, t text);
    create table run${run}.children
      (id integer primary key references run${run}.items on delete cascade on update cascade)`)
  await captures().install(`run${run}.items`, { as: `item${run}` })
})

/** One statement with values of its own, by number. */
const statements: readonly ((id: number, value: number) => string)[] = [
  (id, value) => `insert into items values (${id}, ${value}, 'i') on conflict do nothing`,
  (id, value) => `insert into items values (${id}, ${value}, 'u')
    on conflict (id) do update set n = excluded.n, t = items.t || 'u'`,
  (id, value) => `update items set n = ${value} where id = ${id}`,
  (id) => `update items set t = t || 'b' where id % 2 = ${id % 2}`,
  (id) => `update items set n = n where id = ${id}`,
  (id) => `delete from items where id = ${id}`,
  (id) => `delete from items where id % 3 = ${id % 3}`,
  (
    id,
    value,
  ) => `insert into items select g, ${value}, 's' from generate_series(${id}, ${id + 2}) as g
    on conflict (id) do update set t = 'many'`,
  (id, value) => `update items set id = ${value % ids} where id = ${id}
    and not exists (select from items where id = ${value % ids})`,
  (id) => `with gone as (delete from items where id = ${id} returning *)
    insert into items select id, n, 'back' from gone`,
]

interface Step {
  readonly statement: number
  readonly id: number
  readonly value: number
  /** What becomes of it: it stays, or goes with its savepoint. */
  readonly stays: boolean
}

interface Work {
  readonly steps: readonly Step[]
  readonly commits: boolean
  readonly isolation: 'read committed' | 'repeatable read'
}

const work: fc.Arbitrary<Work> = fc.record({
  steps: fc.array(
    fc.record({
      statement: fc.nat(statements.length - 1),
      id: fc.nat(ids - 1),
      value: fc.nat(20),
      stays: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  commits: fc.boolean(),
  isolation: fc.constantFrom('read committed', 'repeatable read'),
})

/** What may befall a transaction of these without any capture: conflicts of rows. */
const ordinary = ['40P01', '40001', '23505', '23503']

async function carryOut(client: pg.ClientBase, { steps, commits, isolation }: Work): Promise<void> {
  await client.query(`begin isolation level ${isolation}; set local search_path = run${run}`)
  try {
    for (const { statement, id, value, stays } of steps) {
      await client.query('savepoint step')
      await client.query(statements[statement]?.(id, value) ?? '')
      if (!stays) await client.query('rollback to savepoint step')
    }
    await client.query(commits ? 'commit' : 'rollback')
  } catch (error) {
    await client.query('rollback')
    const { code, constraint } = error as { code?: string; constraint?: string }
    if (!ordinary.includes(code ?? '')) throw error
    if (constraint === 'events_stream_id_version_key') throw error
  }
}

async function readLog(): Promise<readonly CapturedEvent[]> {
  await sequence(database.pool)
  const { rows } = await database.pool.query(
    `select stream_id as "streamId", version::integer, type, data from tidemark.log
     where stream_id like 'item${run}-%' order by position`,
  )
  return rows
}

/** Finds the first event that does not follow from those before it. */
function findFault(events: readonly CapturedEvent[]): CapturedEvent | undefined {
  const rows = new Map<string, unknown>()
  const versions = new Map<string, number>()
  for (const event of events) {
    const { streamId, version, type, data } = event
    if (version !== (versions.get(streamId) ?? 0) + 1) return event
    versions.set(streamId, version)
    const isNew = type.endsWith('.created')
    if (!isDeepStrictEqual(rows.get(streamId), isNew ? undefined : data.old)) return event
    if (type.endsWith('.changed') && isDeepStrictEqual(data.old, data.row)) return event
    if (type.endsWith('.deleted')) rows.delete(streamId)
    else rows.set(streamId, data.row)
  }
  return undefined
}

async function readTable(): Promise<Map<string, unknown>> {
  const { rows } = await database.pool.query(`select id, n::text, t from run${run}.items`)
  return new Map(rows.map((row) => [`item${run}-${row.id}`, row]))
}

async function runSessions(sessions: readonly (readonly Work[])[]): Promise<void> {
  const clients = await Promise.all(sessions.map(() => database.pool.connect()))
  try {
    await Promise.all(
      sessions.map(async (all, index) => {
        for (const one of all) await carryOut(clients[index] as pg.PoolClient, one)
      }),
    )
  } finally {
    for (const client of clients) client.release()
  }
}

const sessions = fc.array(fc.array(work, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 3,
})

test('folding the events gives the table, at each position, whatever sessions do at once', async () => {
  await fc.assert(
    fc.asyncProperty(sessions, async (all) => {
      await runSessions(all)
      const events = await readLog()
      expect(findFault(events)).toBeUndefined()
      expect(foldRows(events)).toEqual(await readTable())
    }),
    { numRuns: 60 },
  )
  const { rows } = await database.pool.query(
    `select count(distinct type)::integer as types, count(*)::integer as events from tidemark.log`,
  )
  expect(rows[0].types).toBe(3)
  expect(rows[0].events).toBeGreaterThan(100)
}, 120_000)

test.each([
  ['capture_row', 'if v_old is not null then', 'if false then'],
  ['hand_over_row', 'elsif old *= new then', 'elsif old.id % 2 = 0 then'],
  ['append_captured', ') + 1,', ') + 1 + (random() < 0.1)::integer,'],
])(
  'notices when %s is broken: %s',
  async (name, text, fault) => {
    await breakFunction(database.pool, name, text, fault)
    const result = await fc.check(
      fc.asyncProperty(sessions, async (all) => {
        await runSessions(all)
        const events = await readLog()
        expect(findFault(events)).toBeUndefined()
        expect(foldRows(events)).toEqual(await readTable())
      }),
      { numRuns: 40, endOnFailure: true },
    )
    expect(result.failed).toBe(true)
  },
  60_000,
)
