import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { appendToStream } from '../../src/store/append.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { names } from './fixtures.ts'
import { Noted } from './poison.ts'

const database = useDatabase()

function start(env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'parking-process.ts')], {
    env: { ...process.env, DATABASE_URL: database.connectionString, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

interface Note {
  readonly key: string
  readonly other: string
  readonly n: number
}

/** Numbers that the lane `rows` has applied or parked, in order, by key; and up to where it came. */
async function readLane(name: string) {
  const { rows } = await database.pool.query(`select key, trail from ${name}_v1.rows`)
  const { rows: parked } = await database.pool.query(
    `select e.data ->> 'key' as key, e.data ->> 'n' as n
     from tidemark.parked_events as p
     join tidemark.log as e using (position)
     where p.name = $1 and p.lane = 'rows'
     order by p.position`,
    [name],
  )
  const trails: Record<string, string> = Object.fromEntries(
    rows.map(({ key, trail }) => [key, trail]),
  )
  const whole = { ...trails }
  for (const { key, n } of parked) whole[key] = `${whole[key] ?? ''},${n}`
  return { trails, whole, parked: parked.map(({ n }) => Number(n)) }
}

async function positionOf(name: string): Promise<bigint> {
  const { rows } = await database.pool.query(
    'select position::text from tidemark.subscriptions where name = $1',
    [name],
  )
  return BigInt(rows[0]?.position ?? 0)
}

function trailsOf(notes: readonly Note[]): Record<string, string> {
  const trails: Record<string, string> = {}
  for (const { key, n } of notes) trails[key] = `${trails[key] ?? ''},${n}`
  return trails
}

test('whoever is killed while it parks or retries has lost and repeated nothing', {
  timeout: 60_000,
}, async () => {
  const name = 'killed_parking'
  const notes: Note[] = Array.from({ length: 30 }, (_, i) => ({
    key: `${name}/${'abc'[i % 3]}`,
    other: `o${i % 2}`,
    n: i + 1,
  }))
  for (const note of notes) {
    await appendToStream(database.pool, names, { streamId: note.key, events: [Noted(note)] })
  }
  const env = { PROJECTION: name, POISON: '5,12,13' }
  for (const reach of [1, 2, 3, 4]) {
    const child = start({ ...env, DIE_AT: `event-parked ${reach}` })
    expect(await endOf(child)).toBe('SIGKILL')
    const position = Number(await positionOf(name))
    // Every event that it has passed is applied or parked, and no other.
    expect((await readLane(name)).whole).toEqual(trailsOf(notes.slice(0, position)))
  }
  const worker = start(env)
  await until(
    'the worker to be through',
    async (saw) => {
      const position = await positionOf(name)
      saw(position)
      return position === BigInt(notes.length)
    },
    { timeoutMs: 30_000 },
  )
  const isParked = ({ key, n }: Note) =>
    notes.some((one) => [5, 12, 13].includes(one.n) && one.key === key && one.n <= n)
  const before = await readLane(name)
  expect(before.parked).toEqual(notes.filter(isParked).map(({ n }) => n))

  const mended = { PROJECTION: name, RETRY: 'yes' }
  expect(await endOf(start({ ...mended, DIE_AT: 'parked-retried 1' }))).toBe('SIGKILL')
  expect(await readLane(name)).toEqual(before)
  expect(await endOf(start({ ...mended, DIE_AT: 'parked-retried 2' }))).toBe('SIGKILL')
  const between = await readLane(name)
  expect(between.whole).toEqual(before.whole)
  expect(await endOf(start(mended))).toBe(0)
  worker.kill('SIGKILL')
  expect(await readLane(name)).toEqual({
    trails: trailsOf(notes),
    whole: trailsOf(notes),
    parked: [],
  })
})
