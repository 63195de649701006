import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import {
  createStore,
  type EventQuery,
  event,
  type QueryToken,
  type Store,
} from '../../src/index.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'

/**
 * What https://dcb.events/specification asks of an event store, section by section. Races are in
 * `append-races.pg.test.ts` and `every-append.pg.test.ts`.
 */

const database = useDatabase()

const definitions = ['EventType1', 'EventType2', 'EventType3'].map((type) =>
  event(type).v(1, z.object({ n: z.int() })),
)
let store: Store
let names = 0

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: definitions, maxConnections: 20 })
})

afterAll(() => store.close())

/** Gives tags of its own to each test, so that all of them share one store. */
function newTags() {
  names += 1
  const scope = `test-${names}`
  return (...tags: readonly (number | string)[]) => tags.map((tag) => `${scope}:${tag}`)
}

function made(type: 1 | 2 | 3, tags: readonly string[], n = 0) {
  return { type: `EventType${type}`, schemaVersion: 1, data: { n }, tags }
}

function append(tags: readonly string[], condition?: { query: EventQuery; after?: QueryToken }) {
  return store.append(`dcb-${names}`, made(1, tags), condition && { condition })
}

async function numbersOf(query: EventQuery): Promise<number[]> {
  const { events } = await store.readQuery(query)
  return events.map(({ data }) => (data as { n: number }).n)
}

async function openTransaction(isolation = 'read committed'): Promise<pg.Client> {
  const client = await database.client()
  onTestFinished(() => client.end())
  await client.query(`begin isolation level ${isolation}`)
  return client
}

const failed = { code: 'APPEND_CONDITION_FAILED' }

describe('a query', () => {
  /** Each event that there can be of two types and three tags, numbered. */
  async function appendAll(tagsOf: ReturnType<typeof newTags>) {
    const subsets = [[], [1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]
    const events = subsets.flatMap((tags, index) => [
      made(1, tagsOf('all', ...tags), index),
      made(2, tagsOf('all', ...tags), 10 + index),
      made(3, tagsOf('all', ...tags), 20 + index),
    ])
    await store.append(`query-${names}`, events)
  }

  test.for<[string, { types?: (1 | 2 | 3)[]; tags?: number[] }[], number[]]>([
    ['types are alternatives', [{ types: [1, 3], tags: [1, 2] }], [4, 7, 24, 27]],
    ['tags are all needed', [{ tags: [1, 3] }], [5, 7, 15, 17, 25, 27]],
    ['the order of tags does not matter', [{ tags: [3, 1] }], [5, 7, 15, 17, 25, 27]],
    ['an event may have more tags', [{ types: [2], tags: [3] }], [13, 15, 16, 17]],
    [
      'items are alternatives',
      [
        { types: [1], tags: [1, 2, 3] },
        { types: [2], tags: [1, 2, 3] },
      ],
      [7, 17],
    ],
    [
      'one more item never gives fewer events',
      [{ types: [1], tags: [1, 2] }, { tags: [1, 2, 3] }],
      [4, 7, 17, 27],
    ],
    [
      'the example of the specification',
      [{ types: [1], tags: [] }, { tags: [1, 2] }, { types: [2, 3], tags: [1, 3] }],
      [0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 17, 24, 25, 27],
    ],
    ['a type that no event has', [{ types: [1], tags: [9] }], []],
  ])('of %s', async ([, items, expected]) => {
    const tagsOf = newTags()
    await appendAll(tagsOf)
    const query = items.map(({ types, tags = [] }) => ({
      ...(types && { types: types.map((type) => `EventType${type}`) }),
      tags: tagsOf('all', ...tags),
    }))
    const found = await numbersOf(query)
    expect(found.toSorted((a, b) => a - b)).toEqual(expected)
    // The same query says the same as a condition.
    const outcome = await append([], { query }).catch((error: unknown) => error)
    expect(outcome).toMatchObject(expected.length > 0 ? failed : { replayed: false })
  })

  test('of types alone reaches events without tags', async () => {
    const only = event(`Only${names}`).v(1, z.object({}))
    const query = { types: [only.type] }
    await using wide = await createStore({
      connectionString: database.connectionString,
      events: [only],
    })
    expect((await wide.readQuery(query)).events).toEqual([])
    await wide.append('only-1', only({}))
    expect((await wide.readQuery(query)).events).toMatchObject([{ type: only.type, tags: [] }])
  })

  test('has at least one item, and an item something to match', async () => {
    for (const query of [[], {}, [{}], [{ tags: ['a'] }, {}], { types: [] }, { tags: [] }]) {
      await expect(store.readQuery(query)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      const outcome = append([], { query })
      await expect(outcome).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
  })
})

describe('a sequenced event', () => {
  test('has its type, data, all of its tags, and a position', async () => {
    const tags = newTags()('a', 'b')
    await store.append(`sequenced-${names}`, made(2, tags, 42))
    await sequenceNow(database.pool)
    const { events } = await store.readQuery({ tags })
    expect(events).toMatchObject([{ type: 'EventType2', data: { n: 42 }, tags }])
    expect(typeof events[0]?.position).toBe('bigint')
  })

  test('has a position that is unique, that grows, and that never changes', async () => {
    const tags = newTags()('a')
    const late = await openTransaction()
    await store.append(`positions-${names}`, made(1, tags, 0), { tx: late })
    await store.append(`positions-${names}b`, [made(1, tags, 1), made(2, tags, 2)])
    await sequenceNow(database.pool)
    const early = await store.readLog({ tags })
    await late.query('commit')
    await store.append(`positions-${names}`, made(1, tags, 3))
    await sequenceNow(database.pool)

    const { events } = await store.readLog({ tags })
    expect(events.slice(0, 2)).toEqual(early.events)
    expect(events.map(({ data }) => (data as { n: number }).n)).toEqual([1, 2, 0, 3])
    const positions = events.map(({ position }) => position)
    expect(new Set(positions).size).toBe(4)
    expect(positions).toEqual(positions.toSorted((a, b) => (a < b ? -1 : 1)))
    const found = await store.readQuery({ tags })
    expect(found.events.map(({ position }) => position)).toEqual(positions)
  })

  test('can be read from a position on, by type and tags', async () => {
    const tags = newTags()('a')
    const events = [made(1, tags, 0), made(2, tags, 1), made(1, tags, 2), made(1, tags, 3)]
    await store.append(`from-${names}`, events)
    await sequenceNow(database.pool)
    const filter = { tags, types: ['EventType1'] }
    const [first] = (await store.readLog(filter)).events
    const after = first?.position ?? -1n
    const rest = (await store.readLog({ ...filter, after })).events
    expect(rest.map(({ data }) => data)).toEqual([{ n: 2 }, { n: 3 }])
    expect(await Array.fromAsync(store.logEvents({ ...filter, after }))).toEqual(rest)
  })
})

describe('appended events', () => {
  test('are all there or none, for every reader', async () => {
    const tags = newTags()('a')
    const client = await openTransaction()
    await store.appendMany(
      [
        { streamId: `atomic-${names}`, events: [made(1, tags, 1), made(2, tags, 2)] },
        { streamId: `atomic-${names}b`, events: [made(3, tags, 3)] },
      ],
      { tx: client },
    )
    expect(await numbersOf({ tags })).toEqual([])
    await client.query('commit')
    expect(await numbersOf({ tags })).toEqual([1, 2, 3])
  })

  test('are none when one of them cannot be stored, or the condition fails', async () => {
    const tags = newTags()('a')
    const unstorable = { ...made(1, tags), data: { text: '\u0000' } }
    const refused = store.append(`none-${names}`, [made(1, tags), unstorable])
    await expect(refused).rejects.toMatchObject({ code: 'APPEND_INVALID' })
    expect(await numbersOf({ tags })).toEqual([])
    await append(tags)
    const condition = { query: { tags } }
    const conditional = store.appendMany(
      [{ streamId: `none-${names}`, events: [made(1, tags), made(2, tags)] }],
      { condition },
    )
    await expect(conditional).rejects.toMatchObject(failed)
    expect(await numbersOf({ tags })).toEqual([0])
  })

  test('are at least one', async () => {
    await expect(store.append('empty-1', [])).rejects.toMatchObject({ code: 'APPEND_INVALID' })
  })

  test('do not conflict with themselves', async () => {
    const tags = newTags()('a')
    const query = { tags }
    const events = [made(1, tags, 1), made(1, tags, 2)]
    await store.append(`self-${names}`, events, { condition: { query } })
    const { token } = await store.readQuery(query)
    await store.append(`self-${names}`, events, { condition: { query, after: token } })
    expect(await numbersOf(query)).toEqual([1, 2, 1, 2])
  })
})

describe('a condition without `after`', () => {
  test('ignores no event, however old', async () => {
    const tags = newTags()('a')
    await append([])
    await append(tags, { query: { tags } })
    await append(newTags()('b'))
    await expect(append(tags, { query: { tags } })).rejects.toMatchObject(failed)
  })

  test('ignores no event of its own transaction either', async () => {
    const tags = newTags()('a')
    const client = await openTransaction()
    const options = { tx: client, condition: { query: { tags } } }
    await store.append(`own-${names}`, made(1, tags), options)
    await expect(store.append(`own-${names}`, made(1, tags), options)).rejects.toMatchObject(failed)
    await client.query('rollback')
  })
})

describe('a condition with `after`', () => {
  test('ignores what was there, and fails for what came, wherever it was appended', async () => {
    for (const streamId of [`after-${names}`, `other-${names}`]) {
      const tags = newTags()('a')
      const query = { tags }
      await append(tags)
      const { token } = await store.readQuery(query)
      await append(tags, { query, after: token })
      await store.append(streamId, made(2, tags))
      const { token: seen } = await store.readQuery(query)
      await expect(append(tags, { query, after: token })).rejects.toMatchObject(failed)
      await append(tags, { query, after: seen })
    }
  })

  test('may have been read later than the last event that matches', async () => {
    const tags = newTags()('a')
    await append(tags)
    await append(newTags()('b'))
    const { token } = await store.readQuery({ tags: newTags()('c') })
    await append(tags, { query: { tags }, after: token })
  })

  test('is of whatever query: that of the read, a wider one, or another', async () => {
    const tagsOf = newTags()
    const { token } = await store.readQuery({ tags: tagsOf('a', 'b') })
    await append(tagsOf('a'))
    await append([], { query: { tags: tagsOf('a', 'b') }, after: token })
    await expect(append([], { query: { tags: tagsOf('a') }, after: token })).rejects.toMatchObject(
      failed,
    )
    await append([], { query: { tags: tagsOf('c') }, after: token })
  })

  test('does not fail for events that match no item, or that were taken back', async () => {
    const tagsOf = newTags()
    const query = [{ tags: tagsOf('a'), types: ['EventType1'] }, { tags: tagsOf('a', 'b') }]
    const { token } = await store.readQuery(query)
    const client = await openTransaction()
    await store.append(`back-${names}`, made(1, tagsOf('a', 'b')), { tx: client })
    await client.query('rollback')
    await store.append(`near-${names}`, [
      made(2, tagsOf('a')),
      made(3, tagsOf('a', 'c')),
      made(1, tagsOf('b')),
      made(1, tagsOf('A')),
      made(1, []),
    ])
    await append([], { query, after: token })
  })

  test('does not fail for events that were seen, though older transactions are still open', async () => {
    const tagsOf = newTags()
    const query = { tags: tagsOf('a') }
    const open = await openTransaction()
    await store.append(`open-${names}`, made(1, tagsOf('z')), { tx: open })
    await append(tagsOf('a'))
    const { token, events } = await store.readQuery(query)
    expect(events).toHaveLength(1)
    for (let n = 0; n < 3; n += 1) await append([], { query, after: token })
    await open.query('commit')
    await append([], { query, after: token })
  })

  test('that fails can be met by reading again', async () => {
    const tags = newTags()('a')
    const query = { tags }
    const { token } = await store.readQuery(query)
    await append(tags)
    await expect(append(tags, { query, after: token })).rejects.toMatchObject(failed)
    const { token: again } = await store.readQuery(query)
    await append(tags, { query, after: again })
  })
})

test('of those who decide on the same read one appends, and the others know', async () => {
  for (const seen of [true, false]) {
    const tags = newTags()('a')
    const query = { tags }
    const { token } = await store.readQuery(query)
    const condition = seen ? { query, after: token } : { query }
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        store.append(`race-${names}-${n}`, made(1, tags, n), { condition }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(failed)
    }
    expect(await numbersOf(query)).toHaveLength(1)
  }
})

test('those who decide on different tags of one type do not conflict', async () => {
  const tagsOf = newTags()
  const appends = Array.from({ length: 20 }, async (_, n) => {
    const query = { tags: tagsOf(n), types: ['EventType1'] }
    const { token } = await store.readQuery(query)
    return store.append(`apart-${names}-${n}`, made(1, tagsOf(n, 'shared'), n), {
      condition: { query, after: token },
    })
  })
  expect(await Promise.all(appends)).toHaveLength(20)
})

test('reads are monotonic: what one has seen no later one lacks, and no part of an append', async () => {
  const tags = newTags()('a')
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    for (let n = 0; n < 15; n += 1) {
      const streamId = `monotonic-${names}-${writer}`
      const events = [made(1, tags, writer * 100 + n), made(2, tags, writer * 100 + n)]
      if (n % 3 > 0) {
        await store.append(streamId, events)
        continue
      }
      const client = await openTransaction()
      await store.append(streamId, events, { tx: client })
      await client.query(n % 2 === 0 ? 'commit' : 'rollback')
      await client.end()
    }
  })
  let isOver = false
  const over = Promise.all(writers).finally(() => {
    isOver = true
  })
  const seen = new Set<string>()
  const reads = async () => {
    for (;;) {
      const last = isOver
      const { events } = await store.readQuery({ tags })
      const ids = new Set(events.map(({ id }) => id))
      expect([...seen].filter((id) => !ids.has(id))).toEqual([])
      for (const id of ids) seen.add(id)
      const ofType1 = events.filter(({ type }) => type === 'EventType1')
      expect(events.length).toBe(ofType1.length * 2)
      if (last) return
    }
  }
  await Promise.all([over, reads()])
  expect(seen.size).toBe(6 * (10 + 3) * 2)
})
