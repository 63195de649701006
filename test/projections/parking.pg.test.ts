import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { AnyProjection } from '../../src/index.ts'
import { appendToStream } from '../../src/store/append.ts'
import { parkedStore } from '../../src/worker/parked.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { follow, headPosition, names, sequence } from './fixtures.ts'
import {
  Noted,
  notesByBatch,
  notesByEach,
  notesByFold,
  notesByLanes,
  type Poison,
  type Poisoned,
} from './poison.ts'

const database = useDatabase()
const parked = () => parkedStore(database.pool, { names, jobSchema: null }, silentLogger)
let runs = 0

function newName(): string {
  runs += 1
  return `parking_${runs}`
}

interface Note {
  readonly key: string
  readonly other: string
  readonly n: number
}

const allFine: Poisoned = { has: () => false, by: 'throws' }

function poison(by: Poison, ...numbers: number[]): Poisoned {
  return { has: (n) => numbers.includes(n), by }
}

/** Commits notes, several in a commit, each in a stream of its key; the run is one chunk. */
async function write(name: string, keys: readonly string[], from = 1): Promise<Note[]> {
  const notes = keys.map((key, i) => ({
    key: `${name}/${key}`,
    other: `o${(from + i) % 2}`,
    n: from + i,
  }))
  for (const note of notes) {
    await appendToStream(database.pool, names, { streamId: note.key, events: [Noted(note)] })
  }
  await sequence(database.pool)
  return notes
}

/** Trails by key, as a fold in memory makes them. */
function trails(notes: readonly Note[], keyOf = (note: Note) => note.key): Record<string, string> {
  const rows: Record<string, string> = {}
  for (const note of notes) rows[keyOf(note)] = `${rows[keyOf(note)] ?? ''},${note.n}`
  return rows
}

async function readTrails({ name }: AnyProjection, tableName = 'rows') {
  const { rows } = await database.pool.query(`select key, trail from ${name}_v1.${tableName}`)
  return Object.fromEntries(rows.map(({ key, trail }) => [key, trail]))
}

async function untilFailed({ name }: AnyProjection) {
  return until('the projection to stop', async (saw) => {
    const { rows } = await database.pool.query(
      'select state, error, position::text from tidemark.subscriptions where name = $1',
      [name],
    )
    saw(rows)
    return rows[0]?.state === 'failed' && { ...rows[0].error, at: BigInt(rows[0].position) }
  })
}

async function numbersParked({ name }: AnyProjection, lane: string): Promise<number[]> {
  const { rows } = await database.pool.query(
    `select (e.data ->> 'n')::integer as n
     from tidemark.parked_events as p
     join tidemark.log as e using (position)
     where p.name = $1 and p.lane = $2
     order by p.position`,
    [name, lane],
  )
  return rows.map(({ n }) => n)
}

const levels = [
  { level: 'fold', lane: 'rows', by: 'throws', define: notesByFold },
  { level: 'fold', lane: 'rows', by: 'overflows', define: notesByFold },
  { level: 'each', lane: 'each', by: 'throws', define: notesByEach },
  { level: 'each', lane: 'each', by: 'overflows', define: notesByEach },
  { level: 'batch', lane: 'batch', by: 'overflows', define: notesByBatch },
] as const

describe('an event that cannot be applied', () => {
  test.for(levels)('stops a projection in front of it: $level $by', async ({ by, define }) => {
    const definition = define(newName(), poison(by, 5))
    const notes = await write(definition.name, ['a', 'b', 'c', 'a', 'b', 'c', 'a'])
    const head = await headPosition(database.pool)
    await using _follower = await follow(database, definition)
    const error = await untilFailed(definition)
    expect(error).toMatchObject({
      code: 'HANDLER_FAILED',
      type: 'noted',
      streamId: `${definition.name}/b`,
      position: `${head - 2n}`,
      at: head - 3n,
    })
    expect(error.message).toMatch(
      new RegExp(
        `^projection "${definition.name}" version 1 failed on event "noted" of stream ` +
          `"${definition.name}/b" at position ${head - 2n}: [^\\n]+$`,
      ),
    )
    expect(await readTrails(definition)).toEqual(trails(notes.slice(0, 4)))
    expect(await parked().list({ name: definition.name })).toEqual([])
  })

  test.for(levels)(
    'is parked with what follows of its key, and retried in order: $level $by',
    async ({ by, lane, define }) => {
      const name = newName()
      const options = { onError: 'park' } as const
      const keys = ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b']
      const definition = define(name, poison(by, 5), options)
      const first = await write(name, keys)
      const follower = await follow(database, definition, { batchSize: 100 })
      await follower.untilCaughtUp()
      const rest = await write(name, keys, 9)
      await follower.untilCaughtUp()

      const all = [...first, ...rest]
      const isParked = ({ key, n }: Note) => key === `${name}/b` && n >= 5
      expect(await readTrails(definition)).toEqual(trails(all.filter((note) => !isParked(note))))
      expect(await numbersParked(definition, lane)).toEqual([5, 8, 10, 13, 16])
      const [entry, ...others] = await parked().list({ name })
      expect(others).toEqual([])
      expect(entry).toMatchObject({ kind: 'projection', name, version: 1, lane, events: 5 })
      expect(entry?.key).toBe(`${name}/b`)
      expect(entry?.first).toMatchObject({ type: 'noted', streamId: `${name}/b`, attempts: 1 })
      expect(entry?.first.error?.message).toMatch(
        by === 'throws' ? /cannot take 5/ : /range|foreign key/,
      )

      const again = await parked().retry(definition)
      expect(again).toMatchObject({ applied: 0, keys: 0, failed: [{ lane, key: `${name}/b` }] })
      expect((await parked().list({ name }))[0]?.first.attempts).toBe(2)

      const mended = define(name, allFine, options)
      expect(await parked().retry(mended)).toEqual({ applied: 5, keys: 1, failed: [] })
      expect(await readTrails(definition)).toEqual(trails(all))

      // The worker with the old code goes on where the retry ended: it fails on nothing new.
      const last = await write(name, ['b', 'b'], 20)
      await follower.untilCaughtUp()
      await follower.stop()
      expect(await readTrails(definition)).toEqual(trails([...all, ...last]))
      expect(await parked().list({ name })).toEqual([])
    },
  )

  test('is parked in the lanes that fail alone', async () => {
    const name = newName()
    const options = { onError: 'park' } as const
    const definition = notesByLanes(name, poison('throws', 3, 4), options)
    const notes = await write(name, ['a', 'b', 'a', 'b', 'a', 'b', 'c', 'c'])
    await using follower = await follow(database, definition)
    await follower.untilCaughtUp()
    const { rows: seen } = await database.pool.query(`select n from ${name}_v1.seen order by n`)
    expect(seen.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await numbersParked(definition, 'rows')).toEqual([3, 4, 5, 6])
    // 3 is odd, which this lane takes; of the even ones, 4 and all later ones of `o0`.
    expect(await numbersParked(definition, 'others')).toEqual([4, 6, 8])
    expect(await numbersParked(definition, 'each')).toEqual([])

    const mended = notesByLanes(name, allFine, options)
    expect(await parked().retry(mended, { lane: 'others' })).toEqual({
      applied: 3,
      keys: 1,
      failed: [],
    })
    expect(await readTrails(definition, 'others')).toEqual(trails(notes, ({ other }) => other))
    expect(await numbersParked(definition, 'rows')).toEqual([3, 4, 5, 6])
    expect(await parked().retry(mended)).toEqual({ applied: 4, keys: 2, failed: [] })
    expect(await readTrails(definition)).toEqual(trails(notes))
  })
})

test('a batch whose events stay in the server fetches them in parts to find the one at fault', async () => {
  const name = newName()
  const options = { onError: 'park' } as const
  const definition = notesByBatch(name, poison('overflows', 30), options)
  const keys = Array.from({ length: 50 }, (_, i) => 'abc'.charAt(i % 3))
  const notes = await write(name, keys)
  // A chunk in the server is longer than a batch of fetched events.
  await using follower = await follow(database, definition, { batchSize: 4 })
  await follower.untilCaughtUp()
  const isParked = ({ key, n }: Note) => key === `${name}/c` && n >= 30
  expect(await readTrails(definition)).toEqual(trails(notes.filter((note) => !isParked(note))))
  expect(await parked().retry(notesByBatch(name, allFine, options))).toMatchObject({ applied: 7 })
  expect(await readTrails(definition)).toEqual(trails(notes))
})

test('too many parked events stop the projection after all', async () => {
  const name = newName()
  const bad = { has: () => true, by: 'throws' } as const
  const definition = notesByFold(name, bad, { onError: 'park', maxParked: 3 })
  await write(name, ['a', 'b', 'a', 'c', 'd'])
  const head = await headPosition(database.pool)
  await using _follower = await follow(database, definition)
  expect(await untilFailed(definition)).toMatchObject({ code: 'PARKING_FULL', at: head - 2n })
  expect(await numbersParked(definition, 'rows')).toEqual([1, 2, 3])
})

test('a key that cannot be told stops the projection, whatever its policy', async () => {
  const name = newName()
  const definition = notesByFold(name, allFine, { onError: 'park' })
  const [fold] = definition.folds
  const key = (candidate: unknown) => {
    const { data } = candidate as { data: Note }
    if (data.key === `${name}/b`) throw new Error('no key')
    return fold?.key(candidate) ?? null
  }
  const broken = { ...definition, folds: definition.folds.map((one) => ({ ...one, key })) }
  const notes = await write(name, ['a', 'b', 'c'])
  await using _follower = await follow(database, broken)
  expect(await untilFailed(definition)).toMatchObject({ code: 'HANDLER_FAILED' })
  expect(await readTrails(definition)).toEqual(trails(notes.slice(0, 1)))
  expect(await parked().list({ name })).toEqual([])
})

test('a retry under way holds up whoever delivers, and what comes meanwhile comes after', async () => {
  const name = newName()
  const options = { onError: 'park' } as const
  const definition = notesByFold(name, poison('throws', 2), options)
  const notes = await write(name, ['a', 'b', 'b'])
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
  const client = await database.pool.connect()
  let retrying: Promise<unknown> | undefined
  try {
    // The retry has locked the subscription and waits for the table.
    await client.query(`begin; lock table ${name}_v1.rows in share mode`)
    const before = await headPosition(database.pool)
    retrying = parked().retry(notesByFold(name, allFine, options))
    await untilWaiting(2, async () => {
      if ((await headPosition(database.pool)) === before)
        notes.push(...(await write(name, ['b', 'a'], 4)))
    })
    const { rows } = await client.query(
      'select position::text from tidemark.subscriptions where name = $1',
      [name],
    )
    expect(BigInt(rows[0].position)).toBe(before)
  } finally {
    await client.query('commit')
    client.release()
  }
  expect(await retrying).toEqual({ applied: 2, keys: 1, failed: [] })
  await follower.untilCaughtUp()
  expect(await readTrails(definition)).toEqual(trails(notes))
  expect(await parked().list({ name })).toEqual([])
})

/** Waits until so many sessions wait for locks, the first of them before something is done. */
async function untilWaiting(count: number, afterFirst: () => Promise<void>): Promise<void> {
  await until('sessions to wait for locks', async (saw) => {
    const { rows } = await database.pool.query(
      `select left(query, 60) as query from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    )
    saw(rows)
    if (rows.length > 0) await afterFirst()
    return rows.length >= count
  })
}

test('what is discarded is never applied, and what follows it waits for a retry', async () => {
  const name = newName()
  const options = { onError: 'park' } as const
  const definition = notesByFold(name, poison('throws', 2), options)
  const notes = await write(name, ['a', 'b', 'b', 'b', 'a'])
  await using follower = await follow(database, definition)
  await follower.untilCaughtUp()
  const target = { lane: 'rows', key: `${name}/b` }
  const [first, ...rest] = await parked().events({ name })
  expect(rest.map(({ error, attempts }) => ({ error, attempts }))).toEqual([
    { error: null, attempts: 0 },
    { error: null, attempts: 0 },
  ])
  const position = first?.position ?? 0n
  expect(await parked().discard(definition, { ...target, position })).toEqual({
    discarded: [position],
  })
  const more = await write(name, ['b'], 6)
  await follower.untilCaughtUp()
  expect(await numbersParked(definition, 'rows')).toEqual([3, 4, 6])
  expect(await parked().retry(definition)).toEqual({ applied: 3, keys: 1, failed: [] })
  const kept = [...notes, ...more].filter(({ n }) => n !== 2)
  expect(await readTrails(definition)).toEqual(trails(kept))
  await expect(parked().discard(definition, target)).rejects.toMatchObject({
    code: 'PARKED_EVENT_UNKNOWN',
  })
})

test.for(['its subscription', 'its rows'])(
  'a retry that waits in vain for %s says so and changes nothing',
  async (what) => {
    const name = newName()
    const options = { onError: 'park' } as const
    const follower = await follow(database, notesByFold(name, poison('throws', 2), options))
    await write(name, ['a', 'b', 'b'])
    await follower.untilCaughtUp()
    await follower.stop()
    const client = await database.client()
    await client.query(
      what === 'its rows'
        ? `begin; lock table ${name}_v1.rows`
        : `begin; select from tidemark.subscriptions where name = '${name}' for update`,
    )
    const mended = notesByFold(name, allFine, options)
    await expect(parked().retry(mended, { lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'LOCK_TIMED_OUT',
      message: expect.stringMatching(
        `^parked events of key "${name}/b" of projection "${name}" version 1 were not retried: .* 50 ms`,
      ),
      details: { resource: `projection "${name}" version 1`, timeoutMs: 50 },
      cause: { code: '55P03' },
    })
    expect(await parked().list({ name })).toMatchObject([{ events: 2 }])
    await client.query('rollback')
    expect(await parked().retry(mended)).toMatchObject({ applied: 2, failed: [] })
  },
)
