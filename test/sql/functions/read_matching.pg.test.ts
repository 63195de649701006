import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { encodeFilter, type LogFilter } from '../../../src/store/log-filter.ts'
import { type ModelEvent, matches, readModel } from '../../store/log-model.ts'
import { day, filters, values, writeMixedLog } from '../../store/mixed-log.ts'
import { useDatabase } from '../../support/database.ts'

const database = useDatabase()
let log: ModelEvent[]

beforeAll(async () => {
  await writeMixedLog(database, 20_261_121)
  log = await readModel(database.pool)
})

interface Page {
  readonly events: readonly string[]
  readonly end: bigint
  readonly hint: string | null
}

interface Work {
  readonly maxEvents: number
  readonly maxEntries: number
  readonly maxPositions: number
}

async function readPage(
  filter: LogFilter,
  work: Work,
  after: bigint,
  hint: string | null,
): Promise<Page> {
  const { maxEvents, maxEntries, maxPositions } = work
  const { rows } = await database.pool.query(
    'select * from tidemark.read_matching($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [after.toString(), maxEvents, maxEntries, maxPositions, ...encodeFilter(filter), hint],
  )
  const last = rows.pop()
  expect(last.stream_id).toBeNull()
  return { events: rows.map(place), end: BigInt(last.position), hint: last.insert_id }
}

function place(row: Record<string, unknown>): string {
  return `${row.position} ${row.stream_id}/${row.version} ${row.type}`
}

function expected(filter: LogFilter, after = 0n): string[] {
  return log
    .filter((event) => event.position > after && matches(event, filter))
    .map(({ position, streamId, version, type }) => `${position} ${streamId}/${version} ${type}`)
}

/** Reads page by page until nothing is left. */
async function readAll(filter: LogFilter, work: Work, hints: boolean): Promise<string[]> {
  const events: string[] = []
  let page: Page = { events: [], end: 0n, hint: null }
  for (;;) {
    const start = page.end
    page = await readPage(filter, work, start, hints ? page.hint : null)
    expect(page.events.length).toBeLessThanOrEqual(work.maxEvents)
    expect(page.end).toBeGreaterThanOrEqual(start)
    events.push(...page.events)
    if (page.end === start) return events
  }
}

test('the log has commits of many sizes, and orders that differ', async () => {
  expect(log.length).toBeGreaterThan(100)
  for (const order of ['recorded_at', 'insert_id', 'transaction_id']) {
    const { rows } = await database.pool.query(
      `select array_agg(l.position order by e.${order}, l.position) as positions
       from tidemark.log as l
       join tidemark.events as e using (stream_id, version)`,
    )
    expect(rows[0].positions.map(BigInt)).not.toEqual(log.map(({ position }) => position))
  }
})

test('pages make up what matches, by an index or through the log, whatever their size', async () => {
  const work = fc.record({
    maxEvents: fc.integer({ min: 1, max: 60 }),
    maxEntries: fc.constantFrom(0, 5, 40, 10_000),
    maxPositions: fc.integer({ min: 1, max: 200 }),
  })
  await fc.assert(
    fc.asyncProperty(filters, work, fc.boolean(), async (filter, drawn, hints) => {
      expect(await readAll(filter, drawn, hints)).toEqual(expected(filter))
    }),
    { numRuns: 150 },
  )
})

test('a page begins after any position, also within a commit', async () => {
  const positions = fc.bigInt({ min: 0n, max: BigInt(log.length) + 3n })
  await fc.assert(
    fc.asyncProperty(filters, positions, fc.boolean(), async (filter, after, indexed) => {
      const work = { maxEvents: 5, maxEntries: indexed ? 10_000 : 0, maxPositions: 1_000 }
      const page = await readPage(filter, work, after, null)
      expect(page.events).toEqual(expected(filter, after).slice(0, 5))
    }),
    { numRuns: 100 },
  )
})

describe('a page', () => {
  const all = { maxEvents: 1_000, maxEntries: 10_000, maxPositions: 1_000 }

  test.each([0n, 7n, 2n ** 63n - 1n])('after %d ends no earlier than it began', async (after) => {
    for (const maxEntries of [0, 10_000]) {
      const { end } = await readPage({ category: 'order' }, { ...all, maxEntries }, after, null)
      expect(end).toBe(after > BigInt(log.length) ? after : BigInt(log.length))
    }
  })

  test('that is not full ends where the log does', async () => {
    const { end } = await readPage({ correlationId: 'c-1' }, all, 0n, null)
    expect(end).toBe(BigInt(log.length))
  })

  test('of a time that has ended ends where the log does', async () => {
    const early = { recordedTo: day(1) }
    const count = log.filter((event) => matches(event, early)).length
    const work = { maxEvents: count + 1, maxEntries: Math.floor(count / 2), maxPositions: 1_000 }
    const page = await readPage(early, work, 0n, null)
    expect(page.events).toEqual(expected(early))
    expect(page.end).toBe(BigInt(log.length))
  })

  test('goes through no more positions than it may', async () => {
    const work = { maxEvents: 1_000, maxEntries: 0, maxPositions: 17 }
    const { end } = await readPage({ types: ['unheard-of'] }, work, 20n, null)
    expect(end).toBe(37n)
  })
})

describe('which index is used', () => {
  const choose = async (filter: LogFilter, maxEntries = 10_000) => {
    const { rows } = await database.pool.query(
      'select tidemark.choose_index($1, $2, $3, $4, $5, $6, $7) as name',
      [maxEntries, ...encodeFilter(filter)],
    )
    return rows[0].name
  }

  test.each<[LogFilter, string | null]>([
    [{}, null],
    [{ types: ['rare'] }, null],
    [{ types: [] }, 'type'],
    [{ category: 'note', types: ['rare'] }, 'category'],
    [{ category: 'note', correlationId: 'c-1' }, 'correlation'],
    [{ category: 'note', tags: ['a', 'b'] }, 'tag'],
    [{ category: 'note', tags: ['a', 'unheard-of'] }, 'tag'],
    [{ recordedFrom: new Date() }, 'time'],
    [{ recordedTo: new Date() }, 'time'],
  ])('for %j is %s', async (filter, name) => {
    expect(await choose(filter)).toBe(name)
  })

  test('is none when all hold more entries than may be brought in order', async () => {
    const filter = { category: 'note', correlationId: 'c-1' }
    const count = (conditions: LogFilter) =>
      log.filter((event) => matches(event, conditions)).length
    const fewest = Math.min(count({ category: 'note' }), count({ correlationId: 'c-1' }))
    expect(await choose(filter, Math.floor(fewest / 2))).toBeNull()
    expect(await choose(filter, fewest * 4)).not.toBeNull()
  })

  test('is that of times to find where they begin, when there are more', async () => {
    const early = { recordedTo: day(5) }
    const count = log.filter((event) => matches(event, early)).length
    expect(await choose(early, count + 20)).toBe('time')
    expect(await choose(early, Math.floor(count / 2))).toBe('period')
    expect(await choose(early, Math.floor(count / 20))).toBeNull()
  })

  test('is that of types once somebody has made one', async () => {
    const client = await database.client()
    await client.query('begin; create index on tidemark.events (type)')
    const { rows } = await client.query(
      "select tidemark.choose_index(10000, array['rare'], null, null, null, null, null) as name",
    )
    expect(rows).toEqual([{ name: 'type' }])
    const found = await client.query(
      "select * from tidemark.read_matching(0, 1000, 10000, 1000, array['rare', 'paid'])",
    )
    expect(found.rows.slice(0, -1).map(place)).toEqual(expected({ types: ['rare', 'paid'] }))
    await client.query('rollback')
    await client.end()
  })
})

test('a correlation id that is too long for the index does not keep an event from the log', async () => {
  const metadata = { correlationId: 'y'.repeat(3_000) }
  const { rows } = await database.pool.query("select * from tidemark.append('long-1', 'any', $1)", [
    JSON.stringify([{ type: 'noted', data: {}, metadata }]),
  ])
  expect(rows[0].version).toBe('1')
  expect(values.correlations[2]).toHaveLength(500)
})
