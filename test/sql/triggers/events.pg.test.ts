import { beforeAll, describe, expect, inject, test } from 'vitest'
import { useDatabase } from '../../support/database.ts'

const database = useDatabase()
const hasMerge = inject('postgres').version >= 150_000

beforeAll(async () => {
  const events = '[{"type": "kept", "data": {}}, {"type": "kept", "data": {}}]'
  await database.pool.query(`select tidemark.append('kept-1', 'absent', $1)`, [events])
  await database.pool.query(
    `select tidemark.sequence_from_table(0, 'x', pg_current_snapshot(), '0/1')`,
  )
})

async function count(table: string): Promise<number> {
  const { rows } = await database.pool.query(`select count(*)::integer as n from ${table}`)
  return rows[0].n
}

const columns = '(stream_id, version, event_id, type, data)'

/** Inserts rows past `tidemark.append`, as a program could that knows no better. */
function insert(...rows: readonly (readonly [streamId: string, version: number])[]) {
  const values = rows.map(
    ([streamId, version]) => `('${streamId}', ${version}, gen_random_uuid(), 'noted', '{}')`,
  )
  return `insert into tidemark.events ${columns} values ${values.join(', ')}`
}

/** Runs a statement, undoes it, and gives its error, or says that there was none. */
async function attempt(statement: string): Promise<unknown> {
  const client = await database.client()
  await client.query('begin')
  const outcome = await client.query(statement).then(
    () => 'accepted',
    (reason: unknown) => reason,
  )
  await client.query('rollback')
  await client.end()
  return outcome
}

/** Versions of a stream in the order of their insert ids, which becomes that of their positions. */
async function versionsInOrder(streamId: string): Promise<number[]> {
  const { rows } = await database.pool.query(
    'select version::integer from tidemark.events where stream_id = $1 order by insert_id',
    [streamId],
  )
  return rows.map(({ version }) => version)
}

describe.each([
  ['tidemark.events', 'type', `'x'`],
  ['tidemark.commits', 'event_count', '1'],
])('%s is append-only, for its owner and superusers too:', (table, column, value) => {
  const operations = [
    ['UPDATE', `update ${table} set ${column} = ${value}`],
    ['UPDATE', `update ${table} set ${column} = ${value} where false`],
    ['DELETE', `delete from ${table}`],
    ['DELETE', `delete from ${table} where false`],
    ['TRUNCATE', `truncate ${table}`],
    ['TRUNCATE', `truncate ${table} cascade`],
    [
      'TRUNCATE',
      `truncate tidemark.subscriptions, tidemark.parked_events, ${table} restart identity`,
    ],
    ['DELETE', `with gone as (delete from ${table} returning 1) select * from gone`],
  ] as const

  test.each(operations)('%s is refused in "%s"', async (operation, statement) => {
    const before = await count(table)
    expect(before).toBeGreaterThan(0)
    await expect(database.pool.query(statement)).rejects.toMatchObject({
      code: 'TM001',
      message: `${operation} is refused: table "${table}" is append-only`,
      hint: 'Append a correcting event instead.',
      schema: 'tidemark',
      table: table.replace('tidemark.', ''),
    })
    expect(await count(table)).toBe(before)
  })
})

describe('an existing event', () => {
  test('cannot be replaced by an insert with a conflict clause', async () => {
    const upsert = `${insert(['kept-1', 1])} on conflict (stream_id, version) do update set data = '1'`
    await expect(database.pool.query(upsert)).rejects.toMatchObject({ code: 'TM001' })
  })

  test.runIf(hasMerge).each([`update set data = '1'`, 'delete'])(
    'cannot be changed by merge with "%s"',
    async (action) => {
      const merge = `merge into tidemark.events as e using (select 1) as s
        on e.stream_id = 'kept-1' when matched then ${action}`
      await expect(database.pool.query(merge)).rejects.toMatchObject({ code: 'TM001' })
    },
  )

  test('stays when the same version is inserted again', async () => {
    await expect(database.pool.query(insert(['kept-1', 2]))).rejects.toMatchObject({
      code: '23505',
      constraint: 'events_stream_id_version_key',
    })
    await expect(
      database.pool.query(insert(['twice-1', 1], ['twice-1', 2], ['twice-1', 2])),
    ).rejects.toMatchObject({ code: '23505' })
    expect(await versionsInOrder('twice-1')).toEqual([])
  })

  test('stays when a conflict clause skips the insert', async () => {
    const before = await count('tidemark.events')
    await database.pool.query(`${insert(['kept-1', 2])} on conflict do nothing`)
    expect(await count('tidemark.events')).toBe(before)
  })
})

describe('a direct insert', () => {
  test.each([
    ['the first version', [['ok-1', 1]]],
    [
      'versions 1 to 3 in one statement',
      [
        ['ok-2', 1],
        ['ok-2', 2],
        ['ok-2', 3],
      ],
    ],
    ['the next version', [['ok-2', 4]]],
    [
      'the next two versions',
      [
        ['ok-2', 5],
        ['ok-2', 6],
      ],
    ],
    [
      'rows of several streams in turn',
      [
        ['ok-3', 1],
        ['ok-2', 7],
        ['ok-3', 2],
        ['ok-4', 1],
      ],
    ],
  ] as const)('of %s is accepted', async (_, rows) => {
    const before = await count('tidemark.events')
    await database.pool.query(insert(...rows))
    expect(await count('tidemark.events')).toBe(before + rows.length)
  })

  test('of one version a statement is accepted within a transaction', async () => {
    await database.pool.query(
      `begin; ${insert(['ok-5', 1])}; ${insert(['ok-5', 2])}; ${insert(['ok-5', 3])}; commit`,
    )
    expect(await versionsInOrder('ok-5')).toEqual([1, 2, 3])
  })

  test('of nothing is accepted', async () => {
    await database.pool.query(`insert into tidemark.events ${columns}
      select 'none-1', 1, gen_random_uuid(), 'noted', '{}'::jsonb where false`)
    expect(await versionsInOrder('none-1')).toEqual([])
  })

  test.each([
    ['that begins at version 2', 'hole-1', [['hole-1', 2]]],
    [
      'that leaves a version out',
      'hole-2',
      [
        ['hole-2', 1],
        ['hole-2', 3],
      ],
    ],
    ['that leaves a version out of a stream', 'kept-1', [['kept-1', 4]]],
    [
      'that goes on after a hole',
      'hole-3',
      [
        ['hole-3', 2],
        ['hole-3', 3],
      ],
    ],
    [
      'with one hole among several streams',
      'hole-5',
      [
        ['hole-4', 1],
        ['hole-5', 1],
        ['hole-6', 1],
        ['hole-5', 3],
        ['hole-4', 2],
      ],
    ],
  ] as const)('%s is refused', async (_, streamId, rows) => {
    const before = await count('tidemark.events')
    await expect(database.pool.query(insert(...rows))).rejects.toMatchObject({
      code: 'TM002',
      message: `versions of stream "${streamId}" would have a hole`,
      hint: 'Append through tidemark.append.',
    })
    expect(await count('tidemark.events')).toBe(before)
  })

  test.each([0, -1])('of version %d is refused', async (version) => {
    await expect(database.pool.query(insert(['low-1', version]))).rejects.toMatchObject({
      code: expect.stringMatching(/^(23514|TM002)$/),
    })
  })

  test('after a version that has not committed is refused', async () => {
    const writer = await database.client()
    await writer.query(`begin; ${insert(['open-1', 1])}`)
    await expect(database.pool.query(insert(['open-1', 2]))).rejects.toMatchObject({
      code: 'TM002',
    })
    await writer.query('rollback')
    await writer.end()
  })

  test('of versions in another order than theirs is refused', async () => {
    const statement = insert(['order-1', 3], ['order-1', 1], ['order-1', 2])
    const error = await database.pool.query(statement).catch((reason) => reason)
    expect(await versionsInOrder('order-1')).toEqual([])
    expect(error).toMatchObject({ code: 'TM002' })
  })

  test.each([`'1'`, `(pg_current_xact_id()::text::bigint + 1)::text::xid8`])(
    'with transaction id %s is refused',
    async (id) => {
      const statement = `insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
        values (${id}, 'foreign-1', 1, gen_random_uuid(), 'noted', '{}')`
      await expect(database.pool.query(statement)).rejects.toMatchObject({
        code: 'TM003',
        message: 'the transaction id of an event is that of the transaction which inserts it',
        hint: 'Leave transaction_id to its default.',
      })
    },
  )

  test('with one foreign transaction id among several rows is refused', async () => {
    const statement = `insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
      select case n when 3 then '3' else pg_current_xact_id() end, 'foreign-2', n, gen_random_uuid(), 'noted', '{}'
      from generate_series(1, 4) as n`
    await expect(database.pool.query(statement)).rejects.toMatchObject({ code: 'TM003' })
    expect(await versionsInOrder('foreign-2')).toEqual([])
  })

  test('below a savepoint has the transaction id of the whole', async () => {
    await database.pool.query(
      `begin; ${insert(['nested-1', 1])}; savepoint s; ${insert(['nested-1', 2])}; release s; commit`,
    )
    const { rows } = await database.pool.query(
      `select distinct transaction_id from tidemark.events where stream_id = 'nested-1'`,
    )
    expect(rows.length).toBe(1)
  })

  test.each([0, 2, -1])(
    'with incarnation %d, which is not the current one, is refused',
    async (n) => {
      const statement = `insert into tidemark.events (incarnation, stream_id, version, event_id, type, data)
      values (${n}, 'elsewhere-1', 1, gen_random_uuid(), 'noted', '{}')`
      expect(await attempt(statement)).toMatchObject({ code: expect.stringMatching(/^TM/) })
    },
  )

  const withInsertId = (id: number, streamId: string, version: number, overriding = '') =>
    /* sql */ `
    insert into tidemark.events (insert_id, stream_id, version, event_id, type, data) ${overriding}
    values (${id}, '${streamId}', ${version}, gen_random_uuid(), 'noted', '{}')`

  test('with an insert id is refused', async () => {
    expect(await attempt(withInsertId(1, 'chosen-1', 1))).toMatchObject({ code: '428C9' })
  })

  test.each([
    ['before the versions that it follows', 1],
    ['before all that are generated', 0],
    ['after all that were generated', 1_000_000],
  ])('that overrides the insert id with one %s is refused', async (_, id) => {
    const statement = withInsertId(id, 'kept-1', 3, 'overriding system value')
    expect(await attempt(statement)).toMatchObject({ code: 'TM002' })
  })
})
