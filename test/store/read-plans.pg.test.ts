import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/db/queryable.ts'
import { createStore, type Store } from '../../src/worker/create-store.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()
const commits = 4_000
const eventsPerCommit = 10
const events = commits * eventsPerCommit

let store: Store
let client: pg.Client

/**
 * Fills the log without statistics, as it is while it is loaded: each hundredth commit is of another
 * category, whose last event of two is rare, and has a correlation id.
 */
beforeAll(async () => {
  store = await createStore({ connectionString: database.connectionString })
  client = await database.client()
  await client.query(/* sql */ `
    create procedure fill(commits integer) language plpgsql as $$
    begin
      for c in 1 .. commits loop
        insert into tidemark.events (stream_id, version, event_id, type, data, metadata, tags)
        select
          case when c % 100 = 0 then 'rare-' else 'common-' end || c,
          v,
          md5(c || ' ' || v)::uuid,
          case when c % 100 = 0 and v > 8 then 'rare' else 'common' end,
          '{}',
          case when c % 100 = 0 then '{"correlationId": "flow"}' else '{}' end::jsonb,
          case when c % 100 = 0 then '{vip,all}' else '{all}' end::text[]
        from generate_series(1, ${eventsPerCommit}) as v;
        commit;
      end loop;
    end $$`)
  await client.query('call fill($1)', [commits])
  await sequenceNow(database.pool)
})

afterAll(async () => {
  await client.end()
  await store.close()
})

interface Touched {
  /** Rows of each table that were read by going through all of it. */
  readonly scanned: number
  /** Entries of indexes of `events`, and of `commits`, that were read. */
  readonly events: number
  readonly commits: number
}

const counts = /* sql */ `
  select
    coalesce(sum(t.seq_tup_read), 0)::integer as scanned,
    coalesce(sum(i.read) filter (where t.relname = 'events'), 0)::integer as events,
    coalesce(sum(i.read) filter (where t.relname = 'commits'), 0)::integer as commits
  from pg_stat_xact_user_tables as t
  cross join lateral (
    select sum(pg_stat_get_xact_tuples_returned(indexrelid)) as read
    from pg_index
    where indrelid = t.relid
  ) as i
  where t.schemaname = 'tidemark'
    and t.relname in ('events', 'commits', 'event_tags')`

/** Carries out a read in a transaction, and asks the server what it touched. */
async function touch(read: (tx: Connection) => Promise<unknown>): Promise<Touched> {
  await client.query('begin')
  try {
    // The counts are those of the session that it has not handed over yet.
    const before = await readCounts()
    await read(client)
    const after = await readCounts()
    return {
      scanned: after.scanned - before.scanned,
      events: after.events - before.events,
      commits: after.commits - before.commits,
    }
  } finally {
    await client.query('rollback')
  }
}

async function readCounts(): Promise<Touched> {
  const { rows } = await client.query<Touched>(counts)
  if (rows[0] === undefined) throw new Error('the server has no counts')
  return rows[0]
}

const raw = { unknownEvents: 'raw', maxEvents: 20 } as const
const middle = BigInt(events / 2)

describe.each(['without statistics', 'with statistics'])('a log %s', (state) => {
  beforeAll(async () => {
    if (state === 'with statistics')
      await client.query('vacuum analyze tidemark.events, tidemark.commits')
  })

  test('tells of a read that goes through all of it', async () => {
    const touched = await touch(() =>
      client.query("select from tidemark.events where data = '1' offset 0"),
    )
    expect(touched.scanned).toBe(events)
  })

  test('is not gone through for a page by position', async () => {
    const touched = await touch((tx) => store.readLog({ ...raw, tx, after: middle }))
    expect(touched.scanned).toBe(0)
    expect(touched.events).toBeLessThan(100)
    expect(touched.commits).toBeLessThan(100)
  })

  test('is not gone through for a page of a rare category, whatever page it is', async () => {
    for (const after of [0n, middle]) {
      const touched = await touch((tx) => store.readLog({ ...raw, tx, after, category: 'rare' }))
      expect(touched.scanned).toBe(0)
      // 400 events are counted, found, and brought into order; then the page is read.
      expect(touched.events).toBeLessThan(4 * 400)
      expect(touched.commits).toBeLessThan(2 * 400)
    }
  })

  test('is not gone through for a page of a correlation, also with other conditions', async () => {
    const filter = { correlationId: 'flow', category: 'rare', types: ['rare'] }
    const touched = await touch((tx) => store.readLog({ ...raw, tx, after: middle, ...filter }))
    expect(touched.scanned).toBe(0)
    expect(touched.events).toBeLessThan(4 * 400)
  })

  test('is not gone through for a page of a rare tag, also beside a common one', async () => {
    const touched = await touch((tx) =>
      store.readLog({ ...raw, tx, after: middle, tags: ['all', 'vip'] }),
    )
    expect(touched.scanned).toBe(0)
    expect(touched.events).toBeLessThan(4 * 400)
    expect(touched.commits).toBeLessThan(2 * 400)
  })

  test('is gone through from the position on for a common category, only as far as needed', async () => {
    const touched = await touch((tx) =>
      store.readLog({ ...raw, tx, after: middle, category: 'common' }),
    )
    expect(touched.scanned).toBe(0)
    // The category is counted as far as an index would be used, then the page is read.
    expect(touched.events).toBeLessThan(16_384 + 200)
    expect(touched.commits).toBeLessThan(100)
  })

  test('is not gone through for the stream of an event, forwards or backwards', async () => {
    for (const direction of ['forwards', 'backwards'] as const) {
      const touched = await touch((tx) =>
        store.readStream('common-77', { tx, direction, maxEvents: 3, unknownEvents: 'raw' }),
      )
      expect(touched).toEqual({ scanned: 0, events: 3, commits: 0 })
    }
  })
})

test('of several tags, the one that the fewest events have leads to them', async () => {
  const { rows } = await client.query(/* sql */ `
    select
      tidemark.choose_tag(array['all', 'vip'], 100000) as rarest,
      tidemark.choose_tag(array['all', 'vip'], 10) as none,
      tidemark.choose_tag(array['all', 'unheard-of'], 0) as empty`)
  expect(rows).toEqual([{ rarest: 'vip', none: null, empty: 'unheard-of' }])
})

test('what no index helps to find is found to the end of the log, over many statements', async () => {
  const { rows } = await client.query<{ position: string }>(
    "select position from tidemark.log where type = 'rare' order by position",
  )
  const rare = rows.map(({ position }) => BigInt(position))
  expect(rare).toHaveLength(commits / 50)
  for (const maxEvents of [7, rare.length, 1_000]) {
    const found = await Array.fromAsync(
      store.logEvents({ types: ['rare'], unknownEvents: 'raw', maxEvents }),
    )
    expect(found.map(({ position }) => position)).toEqual(rare)
  }
  const nothing = await store.readLog({ types: ['unheard-of'] })
  expect(nothing).toEqual({ events: [], position: BigInt(events), next: null })
})

test('a page of a time that ended long ago says that all of the log has been read', async () => {
  const { rows } = await client.query(/* sql */ `
    select m.position, m.stream_id, s.index_name, t.matching
    from (
      select e.recorded_at as until,
        (select count(*)::integer from tidemark.events as f where f.recorded_at < e.recorded_at)
          as matching
      from tidemark.events as e
      order by e.insert_id
      offset 500
      limit 1
    ) as t
    cross join lateral tidemark.choose_index(100, null, null, null, null, null, t.until) as s (index_name)
    cross join lateral tidemark.read_matching(0, 1000, 100, 10000, recorded_to => t.until) as m`)
  expect(rows[0].index_name).toBe('period')
  expect(rows.at(-1)).toMatchObject({ position: String(events), stream_id: null })
  expect(rows).toHaveLength(rows[0].matching + 1)
})

test('a large commit that is read in pages is not counted from its start for each', async () => {
  const size = 4_000
  const begin = await sequenceNow(database.pool)
  await client.query(
    `insert into tidemark.events (stream_id, version, event_id, type, data)
     select 'large-1', v, gen_random_uuid(), 'large', '{}'
     from generate_series(1, $1::integer) as v`,
    [size],
  )
  await sequenceNow(database.pool)
  const touched = await touch(async (tx) => {
    const read = { ...raw, tx, after: begin, maxEvents: 100 }
    expect(await Array.fromAsync(store.logEvents(read))).toHaveLength(size)
  })
  expect(touched.scanned).toBe(0)
  expect(touched.events).toBeLessThan(4 * size)
})

test('times are found by ranges of the table, not one by one', async () => {
  await client.query('vacuum analyze tidemark.events')
  const { rows } = await client.query<{ at: Date }>(
    "select recorded_at + interval '1 ms' as at from tidemark.events order by insert_id desc limit 1",
  )
  const touched = await touch((tx) =>
    store.readLog({ ...raw, tx, recordedFrom: rows[0]?.at ?? new Date() }),
  )
  expect(touched.scanned).toBe(0)
  expect(touched.events).toBeLessThan(events / 4)
})
