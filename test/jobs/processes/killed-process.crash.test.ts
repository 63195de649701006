import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createStore, type Store } from '../../../src/index.ts'
import { useDatabase } from '../../support/database.ts'
import { seededRandom } from '../../support/random.ts'
import { until } from '../../support/until.ts'
import { faultsOf, type Trip, TripAsked, TripCancelled, type TripEnd } from './trips.ts'

const database = useDatabase()

beforeAll(async () => {
  await database.pool.query('create table notes (id text)')
})

function start(dieAt?: string): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'trips-process.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: database.connectionString,
      ...(dieAt === undefined ? {} : { DIE_AT: dieAt }),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

async function untilKilled(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
}

async function endsOf(): Promise<ReadonlyMap<string, TripEnd>> {
  const { rows } = await database.pool.query<{ id: string } & TripEnd>(/* sql */ `
    select i.id, i.state,
      coalesce(array_agg((e.data ->> 'leg')::integer order by e.position)
        filter (where e.type = 'leg.booked'), '{}') as booked,
      coalesce(array_agg((e.data ->> 'leg')::integer order by e.position)
        filter (where e.type = 'leg.unbooked'), '{}') as unbooked,
      (select count(*)::integer from notes as n where n.id = i.id) as notes,
      (
        select count(*)::integer
        from tidemark.events as p
        where p.stream_id = 'process:trips-' || i.id
          and p.data #>> '{told,type}' = 'tidemark.process.timer-elapsed'
      ) as woken
    from tidemark.process_instances as i
    left join tidemark.log as e on e.data ->> 'id' = i.id and e.type like 'leg.%'
    group by i.id, i.state`)
  return new Map(rows.map(({ id, ...end }) => [id, end]))
}

const seed = Number(process.env.SEED ?? 20261122)

test(`whoever is killed at work has lost and repeated nothing (SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  await using store: Store = await createStore({ connectionString: database.connectionString })
  const asked: Trip[] = []
  const cancelled = new Set<string>()
  const ask = async () => {
    const legs = random.between(1, 3)
    const refused = random.chance(0.5) ? random.between(0, legs) : -1
    const one = { id: `t${asked.length}`, legs, refused, waits: random.chance(0.3) }
    asked.push(one)
    await store.append(`trip-${one.id}`, TripAsked(one))
  }
  const cancel = async () => {
    const { id } = random.pick(asked)
    if (cancelled.has(id)) return
    cancelled.add(id)
    await store.append(`trip-${id}`, TripCancelled({ id }))
  }
  const deaths = [
    ...['chunk-applied', 'process-acted', 'process-outcome-recorded'],
    ...['chunk-applied', 'process-acted', 'process-outcome-recorded'],
    ...['process-acted', 'process-acted', 'chunk-applied'],
  ]
  for (const failpoint of deaths) {
    const child = start(`${failpoint} ${random.between(1, 8)}`)
    for (let i = 0; i < 5; i += 1) await ask()
    if (random.chance(0.7)) await cancel()
    await untilKilled(child)
  }
  start()
  start()
  const ends = await until(
    'all trips to have come to their end',
    async (saw) => {
      const all = await endsOf()
      const open = [...all].filter(([, { state, notes }]) => {
        return (state !== 'completed' && state !== 'compensated') || notes === 0
      })
      saw({ known: all.size, open })
      return all.size === asked.length && open.length === 0 ? all : undefined
    },
    { timeoutMs: 90_000 },
  )
  const faults = asked.flatMap((one) => {
    const end = ends.get(one.id)
    const found = end === undefined ? ['it was lost'] : faultsOf(one, cancelled.has(one.id), end)
    return found.map((fault) => `${one.id}: ${fault}`)
  })
  expect(faults).toEqual([])
  // Else the schedule has tried nothing.
  const states = [...ends.values()].map(({ state }) => state)
  expect(states).toContain('completed')
  expect(states).toContain('compensated')
  expect([...ends.values()].some(({ unbooked }) => unbooked.length > 1)).toBe(true)
})
