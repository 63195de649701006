import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { bigint, event, integer, projection, table, text } from '../../src/index.ts'
import { useDatabase } from '../support/database.ts'
import { commit, type Follower, follow } from './fixtures.ts'

const database = useDatabase()

const change = z.object({
  run: z.int(),
  key: z.string(),
  other: z.string(),
  amount: z.int(),
})
const Added = event('added').v(1, change)
const Removed = event('removed').v(1, change)
const Ignored = event('ignored').v(1, change)

interface Step {
  readonly type: 'added' | 'removed' | 'ignored'
  readonly key: string
  readonly other: string
  readonly amount: number
}

const make = { added: Added, removed: Removed, ignored: Ignored }

/**
 * Sums and a trail that depends on the order, so that an event which is lost, repeated or moved
 * shows. A sum that comes back to zero deletes its row, so that reducers insert, update and delete.
 */
function balances(run: number, version: number) {
  return projection(`run_${run}`, {
    version,
    events: [Added, Removed],
    tables: {
      sums: table({ key: text().primaryKey(), sum: bigint(), entries: integer(), trail: text() }),
      pairs: table({ key: text().primaryKey(), other: text().primaryKey(), last: integer() }),
    },
  })
    .fold('sums', {
      key: ({ data }) => (data.run === run ? { key: data.key } : null),
      on: {
        added: (row, { data }) => addTo(row, data.amount),
        removed: (row, { data }) => addTo(row, -data.amount),
      },
    })
    .fold('pairs', {
      key: ({ data }) => (data.run === run ? { key: data.key, other: data.other } : null),
      on: {
        added: (row, { data }) => ({ last: next(row?.last, data.amount) }),
        removed: () => null,
      },
    })
}

interface Sum {
  readonly sum: bigint
  readonly entries: number
  readonly trail: string
}

function addTo(row: Sum | null, amount: number): Sum | null {
  const sum = (row?.sum ?? 0n) + BigInt(amount)
  if (sum === 0n) return null
  return {
    sum,
    entries: (row?.entries ?? 0) + 1,
    trail: `${row?.trail ?? ''},${amount}`.slice(-40),
  }
}

/** Depends on the order of the amounts. */
function next(last: number | undefined, amount: number): number {
  return ((last ?? 0) * 3 + amount) % 997
}

/** The same by hand, over plain maps. */
function expectedRows(steps: readonly Step[]) {
  const sums = new Map<string, Sum>()
  const pairs = new Map<string, number>()
  for (const { type, key, other, amount } of steps) {
    if (type === 'ignored') continue
    const sum = addTo(sums.get(key) ?? null, type === 'added' ? amount : -amount)
    if (sum === null) sums.delete(key)
    else sums.set(key, sum)
    const pair = `${key} ${other}`
    if (type === 'removed') pairs.delete(pair)
    else pairs.set(pair, next(pairs.get(pair), amount))
  }
  return {
    sums: [...sums].map(([key, row]) => `${key} ${row.sum} ${row.entries} ${row.trail}`).sort(),
    pairs: [...pairs].map(([pair, last]) => `${pair} ${last}`).sort(),
  }
}

async function storedRows(schema: string) {
  const read = async (query: string) => {
    const { rows } = await database.pool.query<{ line: string }>(query)
    return rows.map(({ line }) => line).sort()
  }
  return {
    sums: await read(`select concat_ws(' ', key, sum, entries, trail) as line from ${schema}.sums`),
    pairs: await read(`select concat_ws(' ', key, other, last) as line from ${schema}.pairs`),
  }
}

const step = fc.record<Step>({
  type: fc.constantFrom('added', 'added', 'removed', 'ignored'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  other: fc.constantFrom('x', 'y'),
  amount: fc.integer({ min: 1, max: 3 }),
})
const commits = fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 10,
})
const pace = fc.record({
  batchSize: fc.integer({ min: 1, max: 50 }),
  maxCachedRows: fc.integer({ min: 1, max: 3 }),
})

let runs = 0

test('rows equal a plain fold of the events, applied live or rebuilt', async () => {
  await fc.assert(
    fc.asyncProperty(commits, pace, pace, fc.nat(), async (history, live, rebuilt, restart) => {
      runs += 1
      const run = runs
      const restartAt = restart % history.length
      let follower: Follower = await follow(database, balances(run, 1), live)
      for (const [index, steps] of history.entries()) {
        // One that starts anew has no rows cached.
        if (index === restartAt) {
          await follower.stop()
          follower = await follow(database, balances(run, 1), live)
        }
        const events = steps.map(({ type, ...data }) => make[type]({ run, ...data }))
        await commit(database.pool, events)
      }
      await follower.untilCaughtUp()
      await follower.stop()
      await using builder = await follow(database, balances(run, 2), rebuilt)
      await builder.untilCaughtUp()

      const expected = expectedRows(history.flat())
      expect(await storedRows(`run_${run}`)).toEqual(expected)
      expect(await storedRows(`run_${run}_v1`)).toEqual(expected)
      expect(await storedRows(`run_${run}_v2`)).toEqual(expected)
    }),
    { numRuns: 40 },
  )
}, 180_000)
