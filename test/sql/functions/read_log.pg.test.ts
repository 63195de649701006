import fc from 'fast-check'
import type pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { useDatabase } from '../../support/database.ts'
import {
  appendTypes,
  type LogRow,
  type ReadOptions,
  readCommits,
  readRun,
  readRuns,
  readView,
  sequence,
} from '../log-fixture.ts'

const database = useDatabase()

/** Sizes of the commits, in their order; the last two were written at the same time. */
const sizes = [2, 3, 1, 12, 4, 1, 1, 7, 9]
const total = BigInt(sizes.reduce((sum, size) => sum + size, 0))
const types = ['a', 'b', 'c']

let view: LogRow[]

beforeAll(async () => {
  expect(await readRun(database.pool)).toEqual({
    events: [],
    end: { position: 0n, insertId: null },
  })
  const typesOf = (size: number) => Array.from({ length: size }, (_, n) => types[n % 3] ?? '')
  for (const [index, size] of sizes.slice(0, -2).entries()) {
    await appendTypes(database.pool, `s-${index}`, typesOf(size))
  }
  await appendInTurns(typesOf(7), typesOf(9))
  await sequence(database.pool)
  view = await readView(database.pool)
  expect(await readCommits(database.pool)).toEqual(
    sizes.map((size, index) => {
      const end = sizes.slice(0, index + 1).reduce((sum, n) => sum + n, 0)
      return { end: BigInt(end), size }
    }),
  )
})

/** Writes two commits whose events are inserted in turns, so that their insert ids interleave. */
async function appendInTurns(first: readonly string[], second: readonly string[]) {
  const [left, right] = [await database.client(), await database.client()]
  await Promise.all([left.query('begin'), right.query('begin')])
  const rounds = Math.max(first.length, second.length)
  for (let n = 0; n < rounds; n += 1) {
    // The last event of the second one is also the last of both.
    const [ofFirst, ofSecond] = [first[n], second[n]]
    if (ofSecond !== undefined && n < rounds - 1) await appendTypes(right, 'right-1', [ofSecond])
    if (ofFirst !== undefined) await appendTypes(left, 'left-1', [ofFirst])
  }
  await appendTypes(right, 'right-1', [second.at(-1) ?? ''])
  await left.query('commit')
  await right.query('commit')
  await Promise.all([left.end(), right.end()])
}

function positions(events: readonly LogRow[]): bigint[] {
  return events.map(({ position }) => position)
}

function range(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) + 1 }, (_, n) => from + BigInt(n))
}

describe('a run', () => {
  test('holds the events after a position, in order, dense', async () => {
    const { events, end } = await readRun(database.pool, { maxEvents: 1_000 })
    expect(events).toEqual(view)
    expect(positions(events)).toEqual(range(1n, total))
    expect(end).toEqual({ position: total, insertId: null })
  })

  // Commits end at 2, 5, 6, 18, 22, 23, 24, 31 and 40.
  test.each([
    [0n, 2, 2n],
    [0n, 3, 2n],
    [0n, 4, 2n],
    [0n, 5, 5n],
    [0n, 17, 6n],
    [0n, 18, 18n],
    [5n, 1, 6n],
    [5n, 12, 6n],
    [18n, 6, 24n],
    [22n, 8, 24n],
    [22n, 9, 31n],
    [24n, 1_000, 40n],
  ])(
    'after %d of at most %d positions ends with a commit, at %d',
    async (after, maxEvents, end) => {
      const run = await readRun(database.pool, { after, maxEvents })
      expect(run.end).toEqual({ position: end, insertId: null })
      expect(positions(run.events)).toEqual(range(after + 1n, end))
    },
  )

  test.each([
    [0n, 1, [1n, 2n]],
    [6n, 5, [11n, 16n, 18n]],
    [6n, 11, [17n, 18n]],
    [31n, 4, [35n, 39n, 40n]],
  ])(
    'after %d of at most %d is part of a commit larger than that',
    async (after, maxEvents, ends) => {
      let [position, hint]: [bigint, string | null] = [after, null]
      for (const expected of ends) {
        const withHint = await readRun(database.pool, { after: position, maxEvents, hint })
        const without = await readRun(database.pool, { after: position, maxEvents })
        expect(withHint.end.position).toBe(expected)
        expect(positions(withHint.events)).toEqual(range(position + 1n, expected))
        expect(without.events).toEqual(withHint.events)
        expect(without.end).toEqual(withHint.end)
        position = expected
        hint = withHint.end.insertId
      }
    },
  )

  test.each([7n, 12n, 17n])('from %d, within a commit, ends with that commit', async (after) => {
    const run = await readRun(database.pool, { after, maxEvents: 1_000 })
    expect(run.end.position).toBe(18n)
    expect(positions(run.events)).toEqual(range(after + 1n, 18n))
  })

  test.each([total, total + 1n, 2n ** 62n])('after %d is empty', async (after) => {
    expect(await readRun(database.pool, { after })).toEqual({
      events: [],
      end: { position: after, insertId: null },
    })
  })

  test('of some types keeps the positions of the whole log', async () => {
    const run = await readRun(database.pool, { types: ['a', 'c'] })
    expect(run.events).toEqual(view.filter(({ type }) => type !== 'b'))
    expect(run.end.position).toBe(total)
  })

  test.each([[[]], [['z']]])('of types %j has no events and ends as if it had', async (none) => {
    const options = { after: 2n, maxEvents: 5, types: none }
    expect(await readRun(database.pool, options)).toEqual({
      events: [],
      end: { position: 6n, insertId: null },
    })
    const part = await readRun(database.pool, { ...options, after: 6n })
    expect(part).toEqual({ events: [], end: { position: 11n, insertId: expect.any(String) } })
  })

  test('does not hold what is not sequenced yet', async () => {
    const client = await database.client()
    await client.query('begin')
    await appendTypes(client, 'open-1', ['a'])
    expect((await readRun(client, { after: total })).events).toEqual([])
    await client.query('rollback')
    await client.end()
  })
})

test('runs make up the log, whatever their size, types and hints', async () => {
  const commits = await readCommits(database.pool)
  const options = fc.record({
    maxEvents: fc.integer({ min: 1, max: 45 }),
    types: fc.option(fc.subarray([...types, 'z']), { nil: null }),
    hints: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(options, async (drawn) => {
      const runs = await readRuns(database.pool, drawn)
      const wanted = ({ type }: LogRow) => drawn.types === null || drawn.types.includes(type)
      expect(runs.flatMap(({ events }) => events)).toEqual(view.filter(wanted))
      expect(runs.at(-1)?.end.position).toBe(total)
      for (const { end } of runs) expectEndOfCommit(end.position, drawn.maxEvents, commits)
    }),
    { numRuns: 80 },
  )
})

/** A run may end within a commit only where that commit is larger than a run. */
function expectEndOfCommit(
  position: bigint,
  maxEvents: number,
  commits: readonly { end: bigint; size: number }[],
): void {
  const commit = commits.find(({ end }) => end >= position)
  if (commit?.end !== position) expect(commit?.size).toBeGreaterThan(maxEvents)
}

describe('a table that disagrees with the ledger', () => {
  /** Changes rows past the triggers, lets `use` look at it, and undoes everything. */
  async function tampered(statement: string, use: (client: pg.Client) => Promise<void>) {
    const client = await database.client()
    await client.query(`begin; set local session_replication_role = replica`)
    const { rowCount } = await client.query(statement)
    expect(rowCount).toBeGreaterThan(0)
    await client.query(`set local session_replication_role = origin`)
    await use(client).finally(() => client.query('rollback'))
    await client.end()
  }

  /** Reads to the end, and expects to be stopped on the way. */
  async function expectStopped(
    client: pg.Client,
    options: Omit<ReadOptions, 'after' | 'hint'> & { readonly hints?: boolean },
  ) {
    await client.query('savepoint before')
    const outcome = await readRuns(client, options).catch((reason: unknown) => reason)
    await client.query('rollback to before')
    expect(outcome, JSON.stringify(options)).toMatchObject({
      code: 'TM006',
      message: expect.stringMatching(
        /^the ledger promises \d+ events up to position \d+, the table holds \d+$/,
      ),
      detail: expect.stringMatching(/^\d+$/),
      hint: 'Rows were changed past the triggers, or this is a defect of tidemark. Do not go on.',
    })
  }

  /** Reads in runs that hold the commit as a whole, and in parts with and without hints. */
  const ways = [
    { maxEvents: 1_000 },
    { maxEvents: 12 },
    { maxEvents: 5 },
    { maxEvents: 5, hints: true },
    { maxEvents: 1, hints: true },
  ]
  const filters = [null, ['a', 'b', 'c'], ['a'], ['z'], []]

  const eventAt = (position: number) => {
    const event = view[position - 1]
    return `stream_id = '${event?.streamId}' and version = ${event?.version}`
  }

  // The commit of 12 events covers positions 7 to 18.
  test.each([
    ['its first event', () => `delete from tidemark.events where ${eventAt(7)}`],
    ['an event in its midst', () => `delete from tidemark.events where ${eventAt(13)}`],
    ['its last event', () => `delete from tidemark.events where ${eventAt(18)}`],
    [
      'all its events',
      () => `delete from tidemark.events where stream_id = '${view[6]?.streamId}'`,
    ],
    [
      'the whole of the last commit',
      () => `delete from tidemark.events where stream_id = '${view.at(-1)?.streamId}'`,
    ],
  ])('stops readers when a commit lacks %s, whatever types they read', async (_, statement) => {
    await tampered(statement(), async (client) => {
      for (const way of ways) {
        for (const filter of filters) await expectStopped(client, { ...way, types: filter })
      }
    })
  })

  test.each([
    ['first', 1],
    ['last', 1_000_000],
  ])('stops readers when a commit has one event more, as its %s', async (_, insertId) => {
    const statement = /* sql */ `
      insert into tidemark.events
        (insert_id, transaction_id, stream_id, version, event_id, type, data)
      overriding system value
      select ${insertId}, transaction_id, 'extra-1', 1, gen_random_uuid(), 'a', '{}'
      from tidemark.events
      where ${eventAt(18)}`
    await tampered(statement, async (client) => {
      for (const way of ways) {
        for (const filter of filters) await expectStopped(client, { ...way, types: filter })
      }
    })
  })

  test.each([2, 5, 18, 31])('stops readers when the ledger lacks position %d', async (position) => {
    const statement = `delete from tidemark.commits where position = ${position}`
    await tampered(statement, async (client) => {
      for (const way of ways) await expectStopped(client, way)
    })
  })

  test('stops a reader that comes to a hole in the ledger right at its start', async () => {
    await tampered('delete from tidemark.commits where position = 5', async (client) => {
      for (const maxEvents of [1, 4, 13, 16, 1_000]) {
        await client.query('savepoint before')
        const outcome = await readRun(client, { after: 2n, maxEvents }).catch((reason) => reason)
        await client.query('rollback to before')
        expect(outcome).toMatchObject({ code: 'TM006' })
      }
    })
  })

  test.each([
    ['more', 'event_count + 1'],
    ['fewer', 'event_count - 1'],
  ])('stops readers when the ledger counts %s events than there are', async (_, count) => {
    const statement = `update tidemark.commits set event_count = ${count} where position = 18`
    await tampered(statement, async (client) => {
      for (const way of ways) await expectStopped(client, way)
    })
  })

  test('does not stop a reader of what comes before', async () => {
    await tampered(`delete from tidemark.events where ${eventAt(40)}`, async (client) => {
      const run = await readRun(client, { maxEvents: 31 })
      expect(run.events).toEqual(view.slice(0, 31))
    })
  })
})
