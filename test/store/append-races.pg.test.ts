import { v7 as uuidV7 } from 'uuid'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  type AppendManyOptions,
  createStore,
  type EventQuery,
  type Store,
} from '../../src/index.ts'
import type { Expectation, StreamAppend } from '../../src/store/check-append.ts'
import { useDatabase } from '../support/database.ts'
import { ofThisDatabase } from '../support/of-this-database.ts'
import { until } from '../support/until.ts'
import { Noted, newStream, noted, readNumbers } from './fixtures.ts'

/**
 * Races in which one writer has appended and not committed: what the other, which came later, is told
 * once the first commits, and once it rolls back.
 */

const database = useDatabase()
let store: Store
let names = 0

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Noted], maxConnections: 20 })
})

afterAll(() => store.close())

/** Makes a key or a tag that no other test uses. */
function newName(kind: string): string {
  names += 1
  return `${kind}:${names}`
}

/** Ways to append to one stream or several. What one gives they all give. */
type Put = (appends: readonly StreamAppend[], options: AppendManyOptions) => Promise<unknown>

const ways: readonly (readonly [string, Put])[] = [
  [
    'append',
    async ([append], options) => {
      const { streamId, events, expect = 'any' } = append as StreamAppend
      return store.append(streamId, events, { ...options, expect })
    },
  ],
  [
    'appendMany',
    async (appends, options) => {
      const [result] = await store.appendMany(appends, options)
      return result
    },
  ],
  [
    'append in a transaction',
    async ([append], options) => {
      const { streamId, events, expect = 'any' } = append as StreamAppend
      const client = await beginTransaction()
      try {
        return await store.append(streamId, events, { ...options, expect, tx: client })
      } finally {
        await client.query('commit')
      }
    },
  ],
]

async function beginTransaction(isolation = 'read committed') {
  const client = await database.client()
  onTestFinished(() => client.end())
  await client.query(`begin isolation level ${isolation}`)
  return client
}

/** Waits until one session waits for a lock of the log. */
async function untilWaiting(): Promise<void> {
  await until('one session to wait for an advisory lock', async (saw) => {
    const { rows } = await database.pool.query(/* sql */ `
      select pid, classid, objid
      from pg_locks
      where locktype = 'advisory' and not granted and database = (
        select oid from pg_database where datname = current_database()
      )`)
    saw(rows)
    return rows.length === 1
  })
}

/** Appends within a transaction, lets the other come and wait, and ends the transaction. */
async function race(
  first: { readonly appends: readonly StreamAppend[]; readonly options?: AppendManyOptions },
  second: () => Promise<unknown>,
  end: 'commit' | 'rollback',
) {
  const client = await beginTransaction()
  const [result] = await store.appendMany(first.appends, { ...first.options, tx: client })
  const outcome = second().catch((error: unknown) => error)
  await untilWaiting()
  await client.query(end)
  return { first: result, second: await outcome }
}

function conflict(actualVersion: bigint) {
  return { code: 'STREAM_VERSION_CONFLICT', details: { actualVersion } }
}

describe.each(ways)('%s', (_, put) => {
  describe('beside an open append to the same stream', () => {
    test.for<[Expectation, object, object]>([
      ['any', { version: 3n }, { version: 2n }],
      ['present', { version: 3n }, { version: 2n }],
      ['absent', conflict(2n), conflict(1n)],
      [0n, conflict(2n), conflict(1n)],
      [1n, conflict(2n), { version: 2n }],
      [2n, { version: 3n }, conflict(1n)],
    ])('that expects %s', async ([expectation, committed, rolledBack]) => {
      for (const end of ['commit', 'rollback'] as const) {
        const streamId = newStream()
        await store.append(streamId, noted(0))
        const { second } = await race(
          { appends: [{ streamId, events: noted(1) }] },
          () => put([{ streamId, events: noted(2), expect: expectation }], {}),
          end,
        )
        expect(second).toMatchObject(end === 'commit' ? committed : rolledBack)
        const isAppended = !(second instanceof Error)
        expect(await readNumbers(database.pool, streamId)).toEqual([
          0,
          ...(end === 'commit' ? [1] : []),
          ...(isAppended ? [2] : []),
        ])
      }
    })

    test.for<[Expectation, object, object]>([
      ['absent', conflict(1n), { version: 1n }],
      ['present', { version: 2n }, conflict(0n)],
    ])('that is new, and expects %s', async ([expectation, committed, rolledBack]) => {
      for (const end of ['commit', 'rollback'] as const) {
        const streamId = newStream()
        const { second } = await race(
          { appends: [{ streamId, events: noted(1) }] },
          () => put([{ streamId, events: noted(2), expect: expectation }], {}),
          end,
        )
        expect(second).toMatchObject(end === 'commit' ? committed : rolledBack)
      }
    })
  })

  test('beside an open append under the same key is its retry, or the first', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const [streamId, key] = [newStream(), newName('key')]
      const appends = [{ streamId, events: noted(1), expect: 'absent' as const }]
      const { first, second } = await race(
        { appends, options: { key } },
        () => put(appends, { key }),
        end,
      )
      const own = {
        version: 1n,
        replayed: false,
        token: expect.not.stringMatching(first?.token ?? ''),
      }
      expect(second).toMatchObject(end === 'commit' ? { ...first, replayed: true } : own)
      expect(await readNumbers(database.pool, streamId)).toEqual([1])
    }
  })

  test('beside an open append of other events under the same key is refused, or the first', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const [key, first, other] = [newName('key'), newStream(), newStream()]
      const { second } = await race(
        { appends: [{ streamId: first, events: noted(1) }], options: { key } },
        () => put([{ streamId: other, events: noted(1) }], { key }),
        end,
      )
      const refused = { code: 'APPEND_KEY_REUSED', details: { key } }
      expect(second).toMatchObject(end === 'commit' ? refused : { version: 1n, replayed: false })
      expect(await readNumbers(database.pool, other)).toEqual(end === 'commit' ? [] : [1])
    }
  })

  test('beside an open append of the same event ids is its retry, or the first', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const streamId = newStream()
      const events = noted(1, 2).map((event) => ({ ...event, id: uuidV7() }))
      const appends = [{ streamId, events, expect: 0n }]
      const { first, second } = await race({ appends }, () => put(appends, {}), end)
      const own = { version: 2n, replayed: false }
      expect(second).toMatchObject(end === 'commit' ? { ...first, replayed: true } : own)
      expect(await readNumbers(database.pool, streamId)).toEqual([1, 2])
    }
  })

  test.for<['commit' | 'rollback', 'before' | 'after']>([
    ['commit', 'before'],
    ['commit', 'after'],
    ['rollback', 'before'],
    ['rollback', 'after'],
  ])('under a condition waits for the %s of an event that was begun %s the read', async (how) => {
    const [end, begun] = how
    const [tag, other] = [newName('tag'), newStream()]
    const query = { tags: [tag] }
    const early = await store.readQuery(query)
    const client = await beginTransaction()
    const event = { ...Noted({ n: 1 }), tags: [newName('tag'), tag] }
    await store.append(newStream(), event, { tx: client })
    const { token } = begun === 'after' ? early : await store.readQuery(query)
    const append = put([{ streamId: other, events: noted(2) }], {
      condition: { query, after: token },
    })
    const outcome = append.catch((error: unknown) => error)
    await untilWaiting()
    await client.query(end)
    const failed = { code: 'APPEND_CONDITION_FAILED' }
    expect(await outcome).toMatchObject(end === 'commit' ? failed : { version: 1n })
    expect(await readNumbers(database.pool, other)).toEqual(end === 'commit' ? [] : [2])
  })

  test('of an event waits for an open append whose condition forbids it', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const [tag, streamId] = [newName('tag'), newStream()]
      const query = { tags: [tag] }
      const { token } = await store.readQuery(query)
      const { first, second } = await race(
        {
          appends: [{ streamId: newStream(), events: noted(1) }],
          options: { condition: { query, after: token } },
        },
        () => put([{ streamId, events: noted(2).map((one) => ({ ...one, tags: [tag] })) }], {}),
        end,
      )
      expect(first).toMatchObject({ version: 1n })
      expect(second).toMatchObject({ version: 1n })
    }
  })

  test('under the condition of an open append, on its own tag, is told when that commits', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const tag = newName('tag')
      const query = { tags: [tag] }
      const { token } = await store.readQuery(query)
      const claim = () => [
        { streamId: newStream(), events: noted(1).map((one) => ({ ...one, tags: [tag] })) },
      ]
      const options = { condition: { query, after: token } }
      const { second } = await race({ appends: claim(), options }, () => put(claim(), options), end)
      const failed = { code: 'APPEND_CONDITION_FAILED' }
      expect(second).toMatchObject(end === 'commit' ? failed : { version: 1n })
      expect((await store.readQuery(query)).events).toHaveLength(1)
    }
  })
})

test.for<[string, (tag: string, type: string) => EventQuery]>([
  ['a tag', (tag) => ({ tags: [tag] })],
  ['a type alone', (_, type) => ({ types: [type] })],
])(
  'a condition on %s waits for rows that were inserted past the functions',
  async ([, queryOf]) => {
    const [tag, type, streamId] = [newName('tag'), newName('type'), newStream()]
    const condition = { query: queryOf(tag, type) }
    const client = await beginTransaction()
    await client.query(
      `insert into tidemark.events (stream_id, version, event_id, type, data, tags)
     values ($1, 1, gen_random_uuid(), $2, '{}', $3)`,
      [newStream(), type, [tag]],
    )
    const outcome = store.append(streamId, noted(1), { condition }).catch((error: unknown) => error)
    await untilWaiting()
    await client.query('commit')
    expect(await outcome).toMatchObject({ code: 'APPEND_CONDITION_FAILED' })
  },
)

test('twenty parallel appends that expect nothing are twenty, whatever they share', async () => {
  const [streamId, tag] = [newStream(), newName('tag')]
  const stores = await Promise.all(
    [{}, { groupCommit: false } as const].map((options) =>
      createStore({ connectionString: database.connectionString, events: [Noted], ...options }),
    ),
  )
  const puts = Array.from({ length: 20 }, (_, n) => {
    const event = { ...Noted({ n }), tags: [tag] }
    const target = stores[n % 2] as Store
    return n % 4 < 2
      ? target.append(streamId, event, { key: `${tag} ${n}` })
      : target.appendMany([{ streamId, events: [event] }]).then(([result]) => result)
  })
  const results = await Promise.all(puts)
  await Promise.all(stores.map((one) => one.close()))
  const versions = results.map((result) => Number(result?.version))
  expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
  const inOrder = versions.map((version, n) => [version, n] as const).toSorted(([a], [b]) => a - b)
  expect(await readNumbers(database.pool, streamId)).toEqual(inOrder.map(([, n]) => n))
})

test('open appends to many streams in opposite orders meet on the first that they share', async () => {
  const [a, b, c] = [newStream(), newStream(), newStream()]
  const appends = (n: number, ...streams: string[]) =>
    streams.map((streamId) => ({ streamId, events: noted(n) }))
  const client = await beginTransaction()
  await store.appendMany(appends(1, a, b), { tx: client })
  const others = [
    store.appendMany(appends(2, c, b, a)),
    store.appendMany(appends(2, a, b, c)),
    store.appendMany(appends(2, b, c)),
  ]
  await until('the others to wait', async () => {
    const { rows } = await database.pool.query(
      `select from pg_locks where locktype = 'advisory' and not granted and ${ofThisDatabase}`,
    )
    return rows.length >= 1
  })
  await client.query('commit')
  await Promise.all(others)
  expect(await readNumbers(database.pool, a)).toEqual([1, 2, 2])
  expect(await readNumbers(database.pool, b)).toEqual([1, 2, 2, 2])
  expect(await readNumbers(database.pool, c)).toEqual([2, 2, 2])
})

describe.each(['repeatable read', 'serializable'])('a caller of isolation %s', (isolation) => {
  test.for<[Expectation]>([['any'], ['absent'], [0n]])(
    'that waited for a writer of its stream, expecting %s, is told to begin anew',
    async ([expectation]) => {
      const streamId = newStream()
      const first = await beginTransaction()
      await store.append(streamId, noted(1), { tx: first })
      const client = await beginTransaction(isolation)
      await client.query('select count(*) from tidemark.events')
      const second = store
        .append(streamId, noted(2), { tx: client, expect: expectation })
        .catch((error: unknown) => error)
      await untilWaiting()
      await first.query('commit')
      expect(await second).toMatchObject({ code: 'TRANSACTION_STALE' })
      await client.query('rollback')
      expect(await readNumbers(database.pool, streamId)).toEqual([1])
    },
  )

  test('that waited for an append under its key is told to begin anew', async () => {
    const key = newName('key')
    const first = await beginTransaction()
    await store.append(newStream(), noted(1), { tx: first, key })
    const client = await beginTransaction(isolation)
    await client.query('select count(*) from tidemark.events')
    const second = store
      .append(newStream(), noted(1), { tx: client, key })
      .catch((error: unknown) => error)
    await untilWaiting()
    await first.query('commit')
    expect(await second).toMatchObject({ code: 'TRANSACTION_STALE' })
    await client.query('rollback')
  })

  test('cannot append under a condition, because it would not see what matches', async () => {
    const [tag, streamId] = [newName('tag'), newStream()]
    const query = { tags: [tag] }
    const client = await beginTransaction(isolation)
    const { token } = await store.readQuery(query, { tx: client })
    await store.append(newStream(), { ...Noted({ n: 1 }), tags: [tag] })
    const condition = { query, after: token }
    const outcome = await store
      .append(streamId, noted(2), { tx: client, condition })
      .catch((error: unknown) => error)
    expect(outcome).toMatchObject({
      code: 'APPEND_INVALID',
      details: { reason: expect.stringContaining(isolation) },
    })
    await client.query('rollback')
    expect(await readNumbers(database.pool, streamId)).toEqual([])
  })
})
