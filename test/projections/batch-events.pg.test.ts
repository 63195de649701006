import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { storedEvents } from '../../src/projections/lanes/batch-events.ts'
import { borrowedPool } from '../../src/projections/query/exact-pool.ts'
import { readExtent } from '../../src/subscriptions/read-run.ts'
import { appendTypes, readRun, sequence } from '../sql/log-fixture.ts'
import { useDatabase } from '../support/database.ts'
import { names } from './fixtures.ts'

const database = useDatabase()
const types = ['a', 'b']

/** Sizes of commits: the third and the last are read in parts by small runs. */
const sizes = [1, 3, 12, 1, 1, 5, 2, 1, 9]

beforeAll(async () => {
  for (const [n, size] of sizes.entries()) {
    const list = Array.from({ length: size }, (_, i) => 'abc'[(n + i) % 3] ?? 'a')
    await appendTypes(database.pool, `stream-${n}`, list)
  }
  await sequence(database.pool)
})

interface Found {
  readonly position: bigint
  readonly stream_id: string
  readonly version: bigint
  readonly type: string
}

/** Reads the log to its end, in runs that stay in the server, as a batch does. */
async function readRelations(client: pg.ClientBase, maxEvents: number): Promise<readonly Found[]> {
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: borrowedPool(client) }) })
  const found: Found[] = []
  let after = 0n
  for (;;) {
    const { end } = await readExtent(client, names, {
      after: { position: after, insertId: null },
      maxEvents,
    })
    if (end.position === after) return found
    const relation = storedEvents('tidemark', { after, upto: end.position, events: null }, types)
    const { rows } = await sql<Found>`
      select position, stream_id, version, type from ${relation} as e order by position`.execute(db)
    found.push(...rows)
    after = end.position
  }
}

const runSizes = [1, 2, 3, 4, 5, 8, 11, 12, 13, 20, 1_000]

test.for(runSizes)('are what the log has, in runs of at most %i', async (maxEvents) => {
  const client = await database.client()
  const { events } = await readRun(client, { types })
  const expected = events.map(({ position, streamId, version, type }) => ({
    position,
    stream_id: streamId,
    version,
    type,
  }))
  expect(await readRelations(client, maxEvents)).toEqual(expected)
})

/** A node of a plan that was run. */
interface PlanNode {
  readonly 'Relation Name'?: string
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Node Type': string
  readonly Plans?: readonly PlanNode[]
}

function flatten(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)]
}

async function explainRun(client: pg.ClientBase, select: string): Promise<readonly PlanNode[]> {
  const chunk = { after: 0n, upto: 16n, events: null }
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: borrowedPool(client) }) })
  const relation = storedEvents('tidemark', chunk, types)
  const { rows } = await sql<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>`
    explain (analyze, format json) select ${sql.raw(select)} from ${relation} as e`.execute(db)
  return rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => flatten(Plan)))
}

test('cost nothing for what comes after them in the ledger', async () => {
  const client = await database.client()
  await client.query(`
    begin;
    insert into tidemark.commits (position, event_count, incarnation, transaction_id, committed_at)
    select 1000 + n, 1, 1, (900000 + n)::text::xid8, now() from generate_series(1, 5000) as n;
    analyze tidemark.commits`)
  const nodes = await explainRun(client, 'count(*)')
  const read = nodes
    .filter((node) => node['Relation Name'] === 'commits')
    .map((node) => {
      const rows = (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)
      return rows * (node['Actual Loops'] ?? 1)
    })
  await client.query('rollback')
  expect(read.length).toBeGreaterThan(1)
  expect(read.reduce((sum, rows) => sum + rows)).toBeLessThan(20)
})

test.for([
  ['max(version)', false],
  ['max(ordinal)', true],
] as const)('are numbered for a statement that asks: %s', async ([select, isNumbered]) => {
  const nodes = await explainRun(await database.client(), select)
  expect(nodes.some((node) => node['Node Type'] === 'WindowAgg')).toBe(isNumbered)
})

describe('a table that disagrees with the ledger stops the statement:', () => {
  const at = (position: number) =>
    `(transaction_id, insert_id) in (
       select transaction_id, insert_id from tidemark.events order by insert_id
       offset ${position - 1} limit 1)`

  test.for([
    ['an event is missing amid a commit', `delete from tidemark.events where ${at(9)}`],
    ['an event is missing at the end of a commit', `delete from tidemark.events where ${at(16)}`],
    ['a commit is missing', "delete from tidemark.events where stream_id = 'stream-0'"],
    [
      'a commit has one event more',
      `insert into tidemark.events (insert_id, transaction_id, stream_id, version, event_id, type, data)
       overriding system value
       select 1000000, transaction_id, 'extra-1', 1, gen_random_uuid(), 'a', '{}'
       from tidemark.events where ${at(9)}`,
    ],
    ['the ledger lacks a commit', 'delete from tidemark.commits where position = 16'],
    ['the ledger lacks the first one', 'delete from tidemark.commits where position = 1'],
  ] as const)('%s', async ([, tamper]) => {
    for (const maxEvents of runSizes) {
      const client = await database.client()
      await client.query('begin; set local session_replication_role = replica')
      expect((await client.query(tamper)).rowCount).toBeGreaterThan(0)
      await client.query('set local session_replication_role = origin')
      const outcome = await readRelations(client, maxEvents).catch((error: unknown) => error)
      await client.query('rollback')
      expect(outcome, `${maxEvents}`).toSatisfy(
        (error: { code: string }) => error.code === 'TM006' || error.code === 'LOG_INCONSISTENT',
      )
    }
  })
})
