import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listVersions } from '../../src/projections/versions/versions.ts'
import { useDatabase } from '../support/database.ts'
import { counted } from './counts.ts'
import { commit, follow, headPosition, names } from './fixtures.ts'
import { indexed, indexNames } from './indexed.ts'

const database = useDatabase()
const name = 'switched'

/** @returns the signal that ended the process, or else its exit code. */
async function run(action: string, failpoint?: string, reach = 1): Promise<string | number | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'version-process.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: database.connectionString,
      PROJECTION: name,
      ACTION: action,
      ...(failpoint === undefined ? {} : { FAILPOINT: failpoint, REACH: `${reach}` }),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

async function states(): Promise<string[]> {
  const versions = await listVersions(database.pool, names, name)
  return versions.map(({ version, state }) => `${version} ${state}`)
}

async function shown(): Promise<number[]> {
  const { rows } = await database.pool.query(`select distinct version from ${name}.items`)
  return rows.map(({ version }) => version)
}

async function indexesOf(version: number): Promise<string[]> {
  const { rows } = await database.pool.query(
    /* sql */ `
    select indexname::text as name from pg_indexes where schemaname = $1 and indexname not like '%pkey'
    union all
    select conname::text from pg_constraint where connamespace = $1::regnamespace and contype = 'f'
    order by 1`,
    [`${name}_v${version}`],
  )
  return rows.map((row) => row.name)
}

async function total(schema: string): Promise<bigint> {
  const { rows } = await database.pool.query(`select sum(count)::text as n from ${schema}.items`)
  return BigInt(rows[0]?.n ?? 0)
}

test('whoever is killed at any step of a rebuild, promotion, rollback or drop leaves all as it was', async () => {
  await commit(database.pool, counted(200))
  await using live = await follow(database, indexed(name, 1))
  await live.untilCaughtUp()
  expect(await indexesOf(1)).toEqual(indexNames)

  for (const [failpoint, reach] of [
    ['chunk-applied', 1],
    ['chunk-applied', 5],
    ['indexes-made', 1],
    ['version-ready', 1],
  ] as const) {
    expect(await run('rebuild', failpoint, reach)).toBe('SIGKILL')
    expect(await states()).toEqual(['1 live', '2 building'])
    expect(await indexesOf(2), failpoint).toEqual([])
    expect(await shown()).toEqual([1])
  }
  expect(await run('rebuild')).toBe(0)
  expect(await states()).toEqual(['1 live', '2 ready'])
  expect(await indexesOf(2)).toEqual(indexNames)
  expect(await run('replay', 'version-reset')).toBe('SIGKILL')
  expect(await states()).toEqual(['1 live', '2 ready'])
  expect(await total(`${name}_v2`)).toBe(await headPosition(database.pool))
  expect(await run('replay', 'chunk-applied')).toBe('SIGKILL')
  expect(await states()).toEqual(['1 live', '2 building'])
  expect(await run('rebuild')).toBe(0)
  expect(await states()).toEqual(['1 live', '2 ready'])
  expect(await indexesOf(2)).toEqual(indexNames)
  await using next = await follow(database, indexed(name, 2))

  for (const [action, version, before, after] of [
    ['promote', 2, ['1 live', '2 ready'], ['1 standby', '2 live']],
    ['rollback', 1, ['1 standby', '2 live'], ['1 live', '2 standby']],
    ['promote', 2, ['1 live', '2 standby'], ['1 standby', '2 live']],
  ] as const) {
    for (const failpoint of ['version-switched', 'views-switched']) {
      expect(await run(action, failpoint)).toBe('SIGKILL')
      expect(await states(), failpoint).toEqual(before)
      expect(await shown()).toEqual([version === 2 ? 1 : 2])
    }
    expect(await run(action)).toBe(0)
    expect(await states()).toEqual(after)
    expect(await shown()).toEqual([version])

    // Both go on, whichever is live.
    await commit(database.pool, counted(10))
    await Promise.all([live.untilCaughtUp(), next.untilCaughtUp()])
    const head = await headPosition(database.pool)
    expect([await total(name), await total(`${name}_v1`), await total(`${name}_v2`)]).toEqual([
      head,
      head,
      head,
    ])
  }

  await live.stop()
  expect(await run('drop', 'version-dropped')).toBe('SIGKILL')
  expect(await states()).toEqual(['1 standby', '2 live'])
  expect(await total(`${name}_v1`)).toBe(await headPosition(database.pool))
  expect(await run('drop')).toBe(0)
  expect(await states()).toEqual(['2 live'])
})
