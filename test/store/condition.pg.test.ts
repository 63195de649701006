import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createStore, event, reject, type Store } from '../../src/index.ts'
import { sequence } from '../sql/log-fixture.ts'
import { useDatabase } from '../support/database.ts'
import { ofThisDatabase } from '../support/of-this-database.ts'
import { until } from '../support/until.ts'

/**
 * Appends under a condition, as https://dcb.events/specification asks for: a condition that fails
 * under a race, reads that never lose what they had, no false conflicts.
 */

const database = useDatabase()

const Defined = event('course.defined').v(1, z.object({ capacity: z.int() }))
const Subscribed = event('student.subscribed').v(1, z.object({ student: z.string() }))
let store: Store<typeof Defined | typeof Subscribed>
let names = 0

beforeAll(async () => {
  const { connectionString } = database
  store = await createStore({ connectionString, events: [Defined, Subscribed], maxConnections: 20 })
})

afterAll(() => store.close())

/** Makes a tag that no other test uses. */
function newTag(kind: string): string {
  names += 1
  return `${kind}:${names}`
}

function subscribed(tags: readonly string[], student = 'somebody') {
  return Subscribed({ student }, { tags })
}

function stream(tag: string): string {
  return `course-${tag}`
}

async function openTransaction(): Promise<pg.Client> {
  const client = await database.client()
  onTestFinished(() => client.end())
  await client.query('begin')
  return client
}

const failed = { code: 'APPEND_CONDITION_FAILED' }

describe('a condition', () => {
  test('holds while nothing new matches, whatever else is appended', async () => {
    const [course, other] = [newTag('course'), newTag('course')]
    await store.append(stream(course), subscribed([course]))
    const query = { tags: [course], types: ['student.subscribed'] }
    const { events, token } = await store.readQuery(query)
    expect(events).toHaveLength(1)
    await store.append(stream(other), subscribed([other]))
    await store.append(stream(course), Defined({ capacity: 1 }, { tags: [course] }))
    await store.append(stream(course), subscribed([]))
    const condition = { query, after: token }
    await store.append(stream(course), subscribed([course]), { condition })
    await expect(
      store.append(stream(course), subscribed([course]), { condition }),
    ).rejects.toMatchObject(failed)
    expect((await store.readQuery(query)).events).toHaveLength(2)
  })

  test.for<[string, object[], boolean]>([
    ['one of the tags', [{ tags: ['a', 'c'] }], true],
    ['all of the tags', [{ tags: ['b', 'a'] }], false],
    ['a tag and another type', [{ tags: ['a'], types: ['course.defined'] }], true],
    ['a tag and one of the types', [{ tags: ['a'], types: ['x', 'student.subscribed'] }], false],
    ['the second item', [{ tags: ['z'] }, { tags: ['b'] }], false],
    ['no item', [{ tags: ['z'] }, { tags: ['y'], types: ['student.subscribed'] }], true],
    ['the type alone', [{ types: ['student.subscribed'] }], false],
    ['another type alone', [{ types: ['student.left'] }], true],
  ])('that an event matches by %s', async ([, items, holds]) => {
    const prefix = newTag('set')
    const query = items.map((item) => {
      const { tags, ...rest } = item as { tags?: string[] }
      return { ...rest, ...(tags && { tags: tags.map((tag) => `${prefix} ${tag}`) }) }
    })
    const { token } = await store.readQuery(query)
    await store.append('any-1', subscribed([`${prefix} a`, `${prefix} b`]))
    const append = store.append('any-2', subscribed([]), { condition: { query, after: token } })
    if (holds) expect(await append).toMatchObject({ replayed: false })
    else await expect(append).rejects.toMatchObject(failed)
  })

  test('without a token holds only while nothing at all matches', async () => {
    const username = newTag('username')
    const claim = () =>
      store.append(stream(username), subscribed([username]), {
        condition: { query: { tags: [username] } },
      })
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, claim))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(claim()).rejects.toMatchObject(failed)
  })

  test('fails for an event that was on its way when the reader read', async () => {
    const course = newTag('course')
    const client = await openTransaction()
    await store.append(stream(course), subscribed([course]), { tx: client })
    const query = { tags: [course] }
    const { events, token } = await store.readQuery(query)
    expect(events).toEqual([])
    await client.query('commit')
    await expect(
      store.append('other-1', subscribed([course]), { condition: { query, after: token } }),
    ).rejects.toMatchObject(failed)
  })

  test('waits for an event that is on its way, and fails if it comes', async () => {
    const course = newTag('course')
    const client = await openTransaction()
    const query = { tags: [course] }
    await store.append(stream(course), subscribed([course]), { tx: client })
    const { token } = await store.readQuery(query)
    const append = store
      .append('other-2', subscribed([course]), { condition: { query, after: token } })
      .catch((error: unknown) => error)
    await until('the append to wait', async () => {
      const { rows } = await database.pool.query(
        `select from pg_locks where locktype = 'advisory' and not granted and ${ofThisDatabase}`,
      )
      return rows.length > 0
    })
    await client.query('commit')
    expect(await append).toMatchObject(failed)
  })

  test('keeps others from appending what it forbids until its transaction ends', async () => {
    const course = newTag('course')
    const query = { tags: [course] }
    const { token } = await store.readQuery(query)
    const condition = { query, after: token }
    const client = await openTransaction()
    await store.append('other-3', subscribed([]), { tx: client, condition })
    let isDone = false
    const append = store.append(stream(course), subscribed([course])).then((result) => {
      isDone = true
      return result
    })
    // Not held up: another tag, in the same process.
    await store.append('other-4', subscribed([newTag('course')]))
    expect(isDone).toBe(false)
    await client.query('commit')
    expect(await append).toMatchObject({ version: 1n })
  })

  test('on types alone keeps all others out until its transaction ends', async () => {
    const query = { types: ['student.subscribed'] }
    const client = await openTransaction()
    const { token } = await store.readQuery(query)
    await store.append('other-5', subscribed([]), {
      tx: client,
      condition: { query, after: token },
    })
    let isDone = false
    const append = store.append('other-6', Defined({ capacity: 1 })).then(() => {
      isDone = true
    })
    await until('the append to wait', async () => {
      const { rows } = await database.pool.query(
        `select from pg_locks where locktype = 'advisory' and not granted and ${ofThisDatabase}`,
      )
      return rows.length > 0
    })
    expect(isDone).toBe(false)
    await client.query('commit')
    await append
  })

  test('knows of rows that were inserted past the functions', async () => {
    const course = newTag('course')
    const query = { tags: [course] }
    const { token } = await store.readQuery(query)
    await database.pool.query(
      `insert into tidemark.events (stream_id, version, event_id, type, data, tags)
       values ($1, 1, gen_random_uuid(), 'student.subscribed', '{}', $2)`,
      [stream(course), [course, course]],
    )
    await expect(
      store.append('other-7', subscribed([]), { condition: { query, after: token } }),
    ).rejects.toMatchObject(failed)
  })

  test('counts events of its own transaction as seen', async () => {
    const course = newTag('course')
    const query = { tags: [course] }
    const client = await openTransaction()
    await store.append(stream(course), subscribed([course]), { tx: client })
    const { events, token } = await store.readQuery(query, { tx: client })
    expect(events).toHaveLength(1)
    const condition = { query, after: token }
    await store.append(stream(course), subscribed([course]), { tx: client, condition })
    await client.query('commit')
    expect((await store.readQuery(query)).events).toHaveLength(2)
  })

  test.for(['nobody', 'somebody'])(
    'that was read in a transaction is not for afterwards, when %s else has begun since',
    async (other) => {
      const course = newTag('course')
      const query = { tags: [course] }
      const client = await openTransaction()
      await store.append(stream(course), subscribed([course]), { tx: client })
      const later = await openTransaction()
      if (other === 'somebody') {
        await later.query('select pg_current_xact_id()')
        const newer = await openTransaction()
        await newer.query('select pg_current_xact_id()')
        await newer.query('commit')
      }
      const { token } = await store.readQuery(query, { tx: client })
      await store.append(stream(course), subscribed([course]), { tx: client })
      await client.query('commit')
      await later.query('commit')
      const append = store.append('other-9', subscribed([]), { condition: { query, after: token } })
      await expect(append).rejects.toMatchObject(failed)
    },
  )

  test('with a key lets a retry have the result of the first', async () => {
    const course = newTag('course')
    const query = { tags: [course] }
    const { token } = await store.readQuery(query)
    const options = { condition: { query, after: token }, key: `condition ${course}` }
    const first = await store.append(stream(course), subscribed([course]), options)
    const second = await store.append(stream(course), subscribed([course]), options)
    expect(second).toEqual({ ...first, replayed: true })
  })

  test('from before a restore into another cluster fails', async () => {
    await expect(
      store.append('other-8', subscribed([]), {
        condition: { query: { tags: ['x'] }, after: '2/1000:1000:' },
      }),
    ).rejects.toMatchObject(failed)
  })

  test.for<[string, unknown]>([
    ['no item', []],
    ['an empty item', {}],
    ['an empty list', { tags: [] }],
    ['an empty tag', { tags: [''] }],
    ['a tag that cannot be stored', { tags: ['a\0'] }],
  ])('with %s is refused', async ([, query]) => {
    await expect(store.readQuery(query as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(
      store.append('other-9', subscribed([]), { condition: { query: query as never } }),
    ).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('with a token that is not one is refused', async () => {
    for (const after of ['', '1.5', '1/2:3', "1/2:3:'; drop table x"]) {
      await expect(
        store.append('other-10', subscribed([]), { condition: { query: { tags: ['x'] }, after } }),
      ).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
  })
})

describe('a read of a query', () => {
  test('has sequenced events in the order of the log, then the others', async () => {
    const course = newTag('course')
    const client = await openTransaction()
    await store.append(stream(course), subscribed([course], 'late'), { tx: client })
    await store.append(`${stream(course)}b`, subscribed([course], 'early'))
    await client.query('commit')
    await sequence(database.pool)
    await store.append(stream(course), subscribed([course], 'last'))
    const { events } = await store.readQuery({ tags: [course] })
    const { rows } = await database.pool.query(
      `select position, data ->> 'student' as student from tidemark.log
       where $1 = any (tags) order by position`,
      [course],
    )
    expect(rows).toHaveLength(2)
    expect(events.map(({ position, data }) => [position, data])).toEqual([
      ...rows.map(({ position, student }) => [BigInt(position), { student }]),
      [null, { student: 'last' }],
    ])
  })

  test('has an event once, however many items it matches', async () => {
    const course = newTag('course')
    await store.append(stream(course), subscribed([course, 'b', 'b']))
    const query = [
      { tags: [course] },
      { tags: [course, 'b'] },
      { tags: [course], types: ['student.subscribed'] },
    ]
    expect((await store.readQuery(query)).events).toHaveLength(1)
  })
})

interface Course {
  readonly course: string
  readonly capacity: number
}

/** Subscribes a student unless the course is full or the student has too many. */
function subscribe({ course, capacity }: Course, student: string) {
  const query = [{ tags: [course] }, { tags: [student] }]
  return store.decide(
    query,
    (events) => {
      const taken = events.filter(({ tags }) => tags.includes(course)).length
      const mine = events.filter(({ tags }) => tags.includes(student))
      if (taken >= capacity) return reject('full')
      if (mine.length >= 2) return reject('too-many')
      if (mine.some(({ tags }) => tags.includes(course))) return reject('twice')
      return { streamId: `${course}-${student}`, events: [subscribed([course, student], student)] }
    },
    { maxAttempts: 200 },
  )
}

test('decisions that race never break what they check', async () => {
  const courses = Array.from({ length: 4 }, () => ({ course: newTag('course'), capacity: 3 }))
  const students = Array.from({ length: 8 }, () => newTag('student'))
  const results = await Promise.all(
    courses.flatMap((course) => students.map((student) => subscribe(course, student))),
  )
  const { rows } = await database.pool.query<{ tags: string[] }>(
    'select tags from tidemark.events where tags && $1',
    [courses.map(({ course }) => course)],
  )
  expect(results.filter(({ ok }) => ok)).toHaveLength(rows.length)
  for (const { course } of courses) {
    expect(rows.filter(({ tags }) => tags.includes(course)).length).toBe(3)
  }
  for (const student of students) {
    expect(rows.filter(({ tags }) => tags.includes(student)).length).toBeLessThanOrEqual(2)
  }
  const rejections = results.flatMap((result) => (result.ok ? [] : [result.rejection.code]))
  expect(new Set(rejections)).toContain('full')
})

test('without the condition they do: so the test above can fail', async () => {
  const course = newTag('course')
  const decisions = Array.from({ length: 8 }, async (_, n) => {
    const { events } = await store.readQuery({ tags: [course] })
    if (events.length >= 3) return
    await store.append(`${stream(course)}-${n}`, subscribed([course]))
  })
  await Promise.all(decisions)
  expect((await store.readQuery({ tags: [course] })).events.length).toBeGreaterThan(3)
})

test('a decision that always loses its race says so in the end', async () => {
  const course = newTag('course')
  let attempts = 0
  await expect(
    store.decide(
      { tags: [course] },
      async () => {
        attempts += 1
        await store.append(`${stream(course)}-${attempts}`, subscribed([course]))
        return { streamId: stream(course), events: [subscribed([course])] }
      },
      { maxAttempts: 3 },
    ),
  ).rejects.toMatchObject(failed)
  expect(attempts).toBe(3)
})

test('the plan of a condition on a tag reads what is new, not what there is', async () => {
  const course = newTag('course')
  await database.pool.query(
    `select tidemark.append_stream('plan', 'any', array_agg(gen_random_uuid()),
       array_agg('noted'::text), array_agg(1::smallint), array_agg('{}'::text),
       array_agg('{}'::text), array_agg(format('{"%s"}', $1::text)))
     from generate_series(1, 20000)`,
    [course],
  )
  const { token } = await store.readQuery({ tags: ['nothing'] })
  const client = await openTransaction()
  await client.query('select tidemark.condition_holds($1, $2, null)', [
    JSON.stringify([{ tags: [course] }]),
    token,
  ])
  const { rows } = await client.query(
    `select seq_tup_read::integer as scanned, idx_tup_fetch::integer as fetched
     from pg_stat_xact_user_tables where schemaname = 'tidemark' and relname = 'event_tags'`,
  )
  expect(rows).toEqual([{ scanned: 0, fetched: 0 }])
})
