import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listVersions } from '../../src/projections/versions/versions.ts'
import { readCheckpoint } from '../../src/subscriptions/checkpoint.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { counted, counts } from './counts.ts'
import { commit, follow, headPosition, names } from './fixtures.ts'

const database = useDatabase()
const name = 'killed'
const kills = 3

function startRebuild(): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'rebuild-process.ts')], {
    env: { ...process.env, DATABASE_URL: database.connectionString, PROJECTION: name },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

async function checkpoint(): Promise<bigint> {
  const id = { kind: 'projection', name, version: 2 } as const
  return (await readCheckpoint(database.pool, names, id))?.position ?? 0n
}

test('a rebuild that is killed again and again goes on from where it was', async () => {
  for (let i = 0; i < 20; i += 1) await commit(database.pool, counted(100))
  await using live = await follow(database, counts(name, 1))
  await live.untilCaughtUp()

  const reached: bigint[] = [0n]
  for (let kill = 0; kill < kills; kill += 1) {
    const before = reached.at(-1) ?? 0n
    const child = startRebuild()
    await until(
      'the rebuild to come further',
      async (saw) => {
        const position = await checkpoint()
        saw(position)
        return position > before
      },
      { timeoutMs: 20_000, intervalMs: 1 },
    )
    child.kill('SIGKILL')
    await exitOf(child)
    reached.push(await checkpoint())
    expect(reached.at(-1)).toBeGreaterThan(before)
    await commit(database.pool, counted(100))
  }
  const head = await headPosition(database.pool)
  expect(reached.at(-1)).toBeLessThan(head)
  const states = await listVersions(database.pool, names, name)
  expect(states.map(({ state }) => state)).toEqual(['live', 'building'])

  const last = startRebuild()
  expect(await exitOf(last)).toBe(0)
  await live.untilCaughtUp()
  for (const table of ['counts', 'totals']) {
    const [one, two] = await Promise.all(
      [1, 2].map((version) =>
        database.pool.query(`select * from ${name}_v${version}.${table} order by key`),
      ),
    )
    expect(two?.rows).toEqual(one?.rows.map((row) => ({ ...row, version: 2 })))
  }
  const { rows } = await database.pool.query(`select total from ${name}_v2.totals`)
  expect(rows).toEqual([{ total: Number(head) }])
})
