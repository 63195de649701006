import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { bigint, event, projection, table, text } from '../../src/index.ts'
import { repartition } from '../../src/projections/versions/repartition-version.ts'
import { appendToStream } from '../../src/store/append.ts'
import { useDatabase } from '../support/database.ts'
import { type Follower, follow, names, sequence, untilApplied } from './fixtures.ts'

const database = useDatabase()

const Moved = event('moved').v(
  1,
  z.object({ run: z.int(), key: z.string(), other: z.string(), n: z.int() }),
)

/** Trails show an event that is lost, repeated or moved. Each lane has a key of its own. */
function trails(run: number, partitions: number) {
  const name = `trails_${run}`
  const trail = table({ key: text().primaryKey(), sum: bigint(), trail: text() })
  return projection(name, {
    version: 1,
    events: [Moved],
    partitions,
    tables: { folded: trail, others: trail, sent: trail, counted: trail },
  })
    .fold('folded', {
      key: ({ data }) => (data.run === run ? { key: data.key } : null),
      on: {
        moved: (row, { data: { n } }) =>
          // A row that is deleted and comes again.
          n % 7 === 0
            ? null
            : { sum: (row?.sum ?? 0n) + BigInt(n), trail: `${row?.trail ?? ''},${n}` },
      },
    })
    .fold('others', {
      key: ({ data }) => (data.run === run ? { key: data.other } : null),
      on: {
        moved: (row, { data: { n } }) => ({
          sum: (row?.sum ?? 0n) + BigInt(n),
          trail: `${row?.trail ?? ''},${n}`,
        }),
      },
    })
    .each({
      on: {
        moved: (_db, { streamId, data: { run: of, n } }) =>
          of === run
            ? sql`
                insert into sent as s (key, sum, trail) values (${streamId}, ${n}, ${`,${n}`})
                on conflict (key) do update
                set sum = s.sum + excluded.sum, trail = s.trail || excluded.trail`
            : null,
      },
    })
    .batch(
      (_db, events) => sql`
        insert into counted as c (key, sum, trail)
        select e.stream_id, sum((e.data ->> 'n')::bigint),
          string_agg(',' || (e.data ->> 'n'), '' order by e.position)
        from ${events()} as e
        where (e.data ->> 'run')::integer = ${run}
        group by 1
        on conflict (key) do update
        set sum = c.sum + excluded.sum, trail = c.trail || excluded.trail`,
    )
}

interface Step {
  readonly stream: string
  readonly key: string
  readonly other: string
  readonly n: number
}

function expectedRows(steps: readonly Step[]) {
  const fold = (keyOf: (step: Step) => string, ends: (n: number) => boolean) => {
    const rows = new Map<string, { sum: number; trail: string }>()
    for (const step of steps) {
      const row = rows.get(keyOf(step)) ?? { sum: 0, trail: '' }
      if (ends(step.n)) rows.delete(keyOf(step))
      else rows.set(keyOf(step), { sum: row.sum + step.n, trail: `${row.trail},${step.n}` })
    }
    return [...rows].map(([key, { sum, trail }]) => `${key} ${sum} ${trail}`).sort()
  }
  const never = () => false
  return {
    folded: fold(
      ({ key }) => key,
      (n) => n % 7 === 0,
    ),
    others: fold(({ other }) => other, never),
    sent: fold(({ stream }) => stream, never),
    counted: fold(({ stream }) => stream, never),
  }
}

async function storedRows(schema: string) {
  const read = async (name: string) => {
    const { rows } = await database.pool.query<{ line: string }>(
      `select concat_ws(' ', key, sum, trail) as line from ${schema}.${name}`,
    )
    return rows.map(({ line }) => line).sort()
  }
  return {
    folded: await read('folded'),
    others: await read('others'),
    sent: await read('sent'),
    counted: await read('counted'),
  }
}

/** Cuts connections of the processes, each with its locks and its transaction. */
async function cutSome(): Promise<void> {
  await database.pool.query(/* sql */ `
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and application_name like 'tidemark%' and random() < 0.4`)
}

async function appendSteps(run: number, steps: readonly Step[]): Promise<Step[]> {
  const appended = steps.map((one) => ({ ...one, stream: `${one.stream}-${run}` }))
  for (const { stream: streamId, ...data } of appended) {
    await appendToStream(database.pool, names, { streamId, events: [Moved({ run, ...data })] })
  }
  await sequence(database.pool)
  return appended
}

const partitions = fc.integer({ min: 1, max: 5 })
const step = fc.record({
  stream: fc.constantFrom('s', 't', 'u', 'v'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  other: fc.constantFrom('x', 'y', 'zé'),
  n: fc.integer({ min: 1, max: 50 }),
})
const action = fc.oneof(
  { weight: 5, arbitrary: fc.array(step, { minLength: 1, maxLength: 15 }) },
  { weight: 2, arbitrary: partitions },
  { weight: 1, arbitrary: fc.constantFrom('restart' as const, 'cut' as const) },
)

let runs = 0

test('rows equal a fold in memory while three processes apply them, are cut off, and partitions change', async () => {
  await fc.assert(
    fc.asyncProperty(
      partitions,
      fc.array(action, { minLength: 5, maxLength: 20 }),
      fc.integer({ min: 1, max: 20 }),
      async (first, actions, batchSize) => {
        runs += 1
        const run = runs
        const definition = trails(run, first)
        const start = () => follow(database, definition, { batchSize, maxAttempts: 3 })
        const processes: Follower[] = [await start(), await start(), await start()]
        const steps: Step[] = []
        const changes: Promise<unknown>[] = []
        const apply = async (one: (typeof actions)[number]) => {
          if (typeof one === 'number') {
            const asked = { timeoutMs: 0 }
            changes.push(repartition(database.pool, names, definition.name, one, asked))
          } else if (one === 'restart') {
            await processes.shift()?.stop()
            processes.push(await start())
          } else if (one === 'cut') await cutSome()
          else steps.push(...(await appendSteps(run, one)))
        }
        for (const one of actions) await apply(one)
        await Promise.all(changes)
        await untilApplied(database.pool, definition)
        await Promise.all(processes.map((follower) => follower.stop()))
        expect(await storedRows(definition.name)).toEqual(expectedRows(steps))
      },
    ),
    { numRuns: 12, endOnFailure: true },
  )
}, 180_000)
