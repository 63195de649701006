import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { createPool } from '../../src/db/connect.ts'
import type { AnyProjection } from '../../src/index.ts'
import { projectionSubscriber } from '../../src/projections/lanes/projection-subscriber.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { appendToStreams } from '../../src/store/append.ts'
import { parkedStore } from '../../src/worker/parked.ts'
import { startSubscription } from '../subscriptions/log-fixture.ts'
import { useDatabase } from '../support/database.ts'
import { follow, names, sequence, untilApplied } from './fixtures.ts'
import {
  Noted,
  notesByBatch,
  notesByEach,
  notesByFold,
  notesByLanes,
  type Poisoned,
} from './poison.ts'

const database = useDatabase()
let pool: pg.Pool
beforeAll(() => {
  pool = createPool({ connectionString: database.connectionString, max: 4 })
})
afterAll(() => pool.end())
let runs = 0

interface Note {
  readonly key: string
  readonly other: string
  readonly n: number
}

/** Commits, each of notes of several keys. */
type History = readonly (readonly Note[])[]

const commits = fc.array(
  fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), other: fc.constantFrom('x', 'y') }), {
    minLength: 1,
    maxLength: 8,
  }),
  { minLength: 1, maxLength: 6 },
)

/** Numbers the notes from one on. */
function toHistory(
  name: string,
  list: readonly (readonly Pick<Note, 'key' | 'other'>[])[],
  from: number,
): History {
  let n = from - 1
  return list.map((commit) =>
    commit.map(({ key, other }) => {
      n += 1
      return { key: `${name}/${key}`, other, n }
    }),
  )
}

async function write(history: History): Promise<void> {
  for (const commit of history) {
    const streams = Map.groupBy(commit, ({ key }) => key)
    await appendToStreams(
      pool,
      names,
      [...streams].map(([streamId, notes]) => ({
        streamId,
        events: notes.map((note) => Noted(note)),
      })),
    )
    await sequence(pool)
  }
}

/** In the order of the log: a commit writes its streams one after the other. */
function inOrder(history: History): readonly Note[] {
  return history.flatMap((commit) => [...Map.groupBy(commit, ({ key }) => key).values()].flat())
}

interface LaneModel {
  readonly lane: string
  readonly table: string
  readonly keyOf: (note: Note) => string
  readonly refuses: (n: number) => boolean
}

/** What a lane has applied and what it has parked, by plain maps. */
function model({ keyOf, refuses }: LaneModel, notes: readonly Note[]) {
  const parked: number[] = []
  const keys = new Set<string>()
  const rows: Record<string, string> = {}
  for (const note of notes) {
    const key = keyOf(note)
    if (refuses(note.n)) keys.add(key)
    if (keys.has(key)) parked.push(note.n)
    else rows[key] = `${rows[key] ?? ''},${note.n}`
  }
  return { rows, parked }
}

async function stored({ name }: AnyProjection, { lane, table }: LaneModel) {
  const { rows } = await pool.query(`select key, trail from ${name}_v1.${table}`)
  const { rows: parked } = await pool.query(
    `select (e.data ->> 'n')::integer as n
     from tidemark.parked_events as p
     join tidemark.log as e using (position)
     where p.name = $1 and p.lane = $2
     order by p.position`,
    [name, lane],
  )
  return {
    rows: Object.fromEntries(rows.map(({ key, trail }) => [key, trail])),
    parked: parked.map(({ n }) => n),
  }
}

const byKey = ({ key }: Note) => key
const byOther = ({ other }: Note) => other

const levels = [
  { level: 'fold', by: 'throws', define: notesByFold, lanes: ['rows'] },
  { level: 'fold', by: 'overflows', define: notesByFold, lanes: ['rows'] },
  { level: 'each', by: 'throws', define: notesByEach, lanes: ['each'] },
  { level: 'each', by: 'overflows', define: notesByEach, lanes: ['each'] },
  { level: 'batch', by: 'overflows', define: notesByBatch, lanes: ['batch'] },
  { level: 'several lanes', by: 'throws', define: notesByLanes, lanes: ['rows', 'others'] },
] as const

function modelOf(lane: string, poisoned: Poisoned): LaneModel {
  if (lane !== 'others') return { lane, table: 'rows', keyOf: byKey, refuses: poisoned.has }
  const refuses = (n: number) => n % 2 === 0 && poisoned.has(n)
  return { lane, table: 'others', keyOf: byOther, refuses }
}

describe('keys without poison are folded whole, the others up to it, and all after a retry', () => {
  test.for(levels)('$level $by', { timeout: 180_000 }, async ({ by, define, lanes }) => {
    await fc.assert(
      fc.asyncProperty(
        commits,
        commits,
        fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }),
        fc.record({ batchSize: fc.integer({ min: 1, max: 60 }) }),
        async (first, rest, numbers, pace) => {
          runs += 1
          const name = `property_${runs}`
          const poisoned: Poisoned = { has: (n) => numbers.includes(n), by }
          const options = { onError: 'park' } as const
          const definition = define(name, poisoned, options)
          const before = toHistory(name, first, 1)
          const after = toHistory(name, rest, before.flat().length + 1)
          const notes = inOrder([...before, ...after])
          const models = lanes.map((lane) => modelOf(lane, poisoned))

          await write(before)
          let follower = await follow(database, definition, pace)
          await follower.untilCaughtUp()
          // Who begins anew reads from the database what is parked.
          await follower.stop()
          follower = await follow(database, definition, pace)
          await write(after)
          await follower.untilCaughtUp()
          for (const lane of models) {
            expect(await stored(definition, lane)).toEqual(model(lane, notes))
          }

          const fine: Poisoned = { has: () => false, by }
          const parked = parkedStore(pool, { names, jobSchema: null }, silentLogger)
          const count = models.reduce((sum, lane) => sum + model(lane, notes).parked.length, 0)
          expect(await parked.retry(define(name, fine, options))).toMatchObject({
            applied: count,
            failed: [],
          })
          for (const lane of models) {
            const whole = model({ ...lane, refuses: () => false }, notes)
            expect(await stored(definition, lane)).toEqual(whole)
          }
          await follower.stop()
        },
      ),
      { numRuns: 12 },
    )
  })
})

test('a retry keeps the order against two workers that both believe to be the owner', {
  timeout: 180_000,
}, async () => {
  const name = 'raced'
  const poison = new Set([2, 5])
  const options = { onError: 'park' } as const
  const poisoned: Poisoned = { has: (n) => poison.has(n), by: 'throws' }
  const definition = notesByFold(name, poisoned, options)
  await ensureVersion(pool, names, definition, 'any')
  const { connectionString } = database
  const owners = [1, 2].map(() =>
    startSubscription(projectionSubscriber(definition, names), {
      connectionString,
      forced: true,
      batchSize: 7,
      maxAttempts: 1,
    }),
  )
  const keys = ['a', 'b', 'c'] as const
  const note = (n: number): Note => ({ key: `${name}/${keys[n % 3]}`, other: 'x', n })
  const notes: Note[] = []
  const writeSome = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const next = note(notes.length + 1)
      notes.push(next)
      await write([[next]])
    }
  }
  await writeSome(12)
  await untilApplied(pool, definition)
  const fine = notesByFold(name, { has: () => false, by: 'throws' }, options)
  const parked = parkedStore(pool, { names, jobSchema: null }, silentLogger)
  // The workers' handler is mended, too, only later: meanwhile they park what comes behind.
  let isWriting = true
  const writing = writeSome(90).finally(() => {
    isWriting = false
  })
  let retried = 0
  while (isWriting) {
    const results = await Promise.all([parked.retry(fine), parked.retry(fine)])
    retried += results.reduce((sum, { applied }) => sum + applied, 0)
    poison.add(notes.length + 3)
  }
  await writing
  await untilApplied(pool, definition)
  poison.clear()
  retried += (await parked.retry(fine)).applied
  expect(await stored(definition, modelOf('rows', { has: () => false, by: 'throws' }))).toEqual({
    rows: model(modelOf('rows', { has: () => false, by: 'throws' }), notes).rows,
    parked: [],
  })
  expect(retried).toBeGreaterThan(2)
  const regressed = owners.flatMap(({ log }) => log.withCode('CHECKPOINT_REGRESSED'))
  expect(regressed.length).toBeGreaterThan(0)
})
