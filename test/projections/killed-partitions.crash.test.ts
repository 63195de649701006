import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { counted, counts } from './counts.ts'
import { commit, follow, headPosition } from './fixtures.ts'

const database = useDatabase()

interface Run {
  readonly name: string
  readonly action: 'repartition' | 'rebuild' | 'join'
  readonly count?: number
  /** Where it dies by itself. */
  readonly failpoint?: string
  readonly reach?: number
}

function start({ name, action, count = 1, failpoint, reach = 1 }: Run): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'partitions-process.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: database.connectionString,
      PROJECTION: name,
      ACTION: action,
      COUNT: `${count}`,
      ...(failpoint === undefined ? {} : { FAILPOINT: failpoint, REACH: `${reach}` }),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** @returns the signal that ended the process, or else its exit code. */
async function endOf(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

const run = (options: Run) => endOf(start(options))

async function divisions(name: string, version: number): Promise<string[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select distinct partitions || coalesce(' to ' || next_partitions, '') as line
    from tidemark.subscriptions
    where kind = 'projection' and name = $1 and version = $2`,
    [name, version],
  )
  return rows.map(({ line }) => line)
}

async function total(schema: string): Promise<bigint> {
  const { rows } = await database.pool.query(`select sum(count)::text as n from ${schema}.counts`)
  return BigInt(rows[0]?.n ?? 0)
}

test('whoever is killed at any step of a change of partitions loses and repeats nothing', async () => {
  const name = 'divided'
  await using follower = await follow(database, counts(name, 1))
  let before = 1
  for (const [count, failpoint, after] of [
    [3, 'partitions-asked', 1],
    [3, 'partitions-replaced', 1],
    [3, undefined, 3],
    [2, 'partitions-asked', 3],
    [2, 'partitions-replaced', 3],
    [2, undefined, 2],
  ] as const) {
    await commit(database.pool, counted(50))
    // At rest, so that the change is concluded by whoever asks for it.
    await follower.untilCaughtUp()
    const ended = await run({
      ...{ name, action: 'repartition', count },
      ...(failpoint === undefined ? {} : { failpoint }),
    })
    expect(ended).toBe(failpoint === undefined ? 0 : 'SIGKILL')
    expect(await divisions(name, 1)).toEqual([`${after}`])
    before = after
    await commit(database.pool, counted(50))
    await follower.untilCaughtUp()
    expect(await total(name)).toBe(await headPosition(database.pool))
  }
  expect(before).toBe(2)
})

test('processes that build a version together are killed at each step, and it is whole in the end', async () => {
  const name = 'together'
  await using live = await follow(database, counts(name, 1))
  for (let i = 0; i < 10; i += 1) await commit(database.pool, counted(100))
  await live.untilCaughtUp()
  for (const [failpoint, reach] of [
    ['chunk-applied', 1],
    ['chunk-applied', 10],
    ['partitions-asked', 1],
    ['partitions-replaced', 1],
    ['indexes-made', 1],
    ['version-ready', 1],
  ] as const) {
    expect(await run({ name, action: 'rebuild', count: 3, failpoint, reach }), failpoint).toBe(
      'SIGKILL',
    )
    expect(['1', '3', '3 to 1']).toContain((await divisions(name, 2))[0])
  }
  const helpers = [0, 1].map(() => start({ name, action: 'join' }))
  await until('a helper to be there', async (saw) => {
    const { rows } = await database.pool.query(
      "select count(*)::integer as n from pg_stat_activity where application_name = 'tidemark session' and datname = current_database()",
    )
    saw(rows)
    return rows[0].n >= 2
  })
  helpers[0]?.kill('SIGKILL')
  expect(await run({ name, action: 'join' })).toBe(0)
  await Promise.all(helpers.map(endOf))
  expect(await divisions(name, 2)).toEqual(['1'])
  expect(await total(`${name}_v2`)).toBe(await headPosition(database.pool))
})
