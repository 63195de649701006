import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decide, evolve } from '../../src/core/decide.ts'
import { decider } from '../../src/core/decider.ts'
import type { NewEvent } from '../../src/core/event.ts'
import { createPool } from '../../src/db/connect.ts'
import type { Accepted, Refused } from '../../src/store/execute.ts'
import { useDatabase } from '../support/database.ts'
import { newId, openDeciderStore } from './decider-fixture.ts'
import { Account, account } from './deciders.ts'

const database = useDatabase()
const processes = 4
let pools: pg.Pool[]

beforeAll(() => {
  const { connectionString } = database
  pools = Array.from({ length: processes }, () => createPool({ connectionString, max: 4 }))
})

afterAll(() => Promise.all(pools.map((pool) => pool.end())))

const { commands } = Account
const Kept = decider('account', { ...account, commands, snapshot: { every: 3 } })

/** A command as fast-check draws it. */
interface Planned {
  readonly process: number
  readonly stream: number
  readonly call: readonly [name: keyof typeof commands, input: unknown]
  /** Commands with one key are retries of one. */
  readonly key: string | undefined
  readonly isKept: boolean
}

interface Done extends Planned {
  readonly result: Accepted | Refused
}

const call = fc.oneof(
  fc.tuple(fc.constant('open' as const), fc.record({ owner: fc.constantFrom('Ada', 'Bob') })),
  fc.tuple(fc.constant('deposit' as const), fc.nat({ max: 20 })),
  fc.tuple(fc.constant('withdraw' as const), fc.nat({ max: 20 })),
  fc.tuple(fc.constant('move' as const), fc.array(fc.nat({ max: 9 }), { maxLength: 3 })),
  fc.tuple(fc.constant('close' as const), fc.constant(undefined)),
)

const planned = fc.record({
  process: fc.nat({ max: processes - 1 }),
  stream: fc.nat({ max: 1 }),
  call,
  key: fc.constant(undefined),
  isKept: fc.boolean(),
})

/** A command that is sent several times under one key, by several processes. */
const retried = fc
  .tuple(
    planned,
    fc.uuid(),
    fc.array(fc.nat({ max: processes - 1 }), { minLength: 1, maxLength: 4 }),
  )
  .map(([plan, key, senders]) => senders.map((process) => ({ ...plan, process, key })))

const schedule = fc
  .array(fc.oneof({ weight: 3, arbitrary: planned.map((plan) => [plan]) }, retried), {
    minLength: 2,
    maxLength: 18,
  })
  .map((groups) => groups.flat() satisfies Planned[])

test('random commands of several processes at once are a sequence of decisions', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (plans) => {
      const prefix = newId()
      const stores = pools.map((pool) => openDeciderStore(pool))
      const done = await Promise.all(
        plans.map(async (plan): Promise<Done> => {
          const { process, stream, call, key, isKept } = plan
          const options = { maxAttempts: 50, ...(key !== undefined && { key: `${prefix}-${key}` }) }
          const target = isKept ? Kept : Account
          const [name, input] = call
          const id = `${prefix}x${stream}`
          const result = await stores[process]?.execute(target, id, name, input as never, options)
          return { ...plan, result: result as Accepted | Refused }
        }),
      )
      for (const stream of [0, 1]) {
        const { rows } = await database.pool.query(
          'select type, data, metadata, tags from tidemark.events where stream_id = $1 order by version',
          [`account-${prefix}x${stream}`],
        )
        const ofStream = done.filter((one) => one.stream === stream)
        checkSequence(ofStream, rows)
        const state = evolve(Account, Account.initial(), rows)
        for (const target of [Account, Kept]) {
          expect(await stores[0]?.load(target, `${prefix}x${stream}`)).toEqual({
            state,
            version: BigInt(rows.length),
          })
        }
      }
    }),
    { numRuns: 40 },
  )
}, 60_000)

/** Checks that each command is explained by the events that were there before it, and no others. */
function checkSequence(done: readonly Done[], log: readonly NewEvent[]): void {
  const written = new Map<number, readonly NewEvent[]>()
  for (const { call, result, key } of done) {
    const [name, input] = call
    const events = result.ok ? result.events : []
    const before = Number(result.version) - events.length
    const state = evolve(Account, Account.initial(), log.slice(0, before) as never)
    const outcome = decide(Account, state, name, input)
    if (!result.ok) {
      expect(outcome).toEqual({ rejection: result.rejection })
      continue
    }
    const expected = 'events' in outcome ? outcome.events.map(({ data }) => data) : 'a refusal'
    expect(events.map(({ data }) => data)).toEqual(expected)
    if (events.length === 0) continue
    if (written.has(before)) expect(key).toBeDefined()
    written.set(before, events)
  }
  // What was accepted is the log: each event in its place, once.
  const inOrder = [...written].toSorted(([a], [b]) => a - b)
  const versions = inOrder.flatMap(([before, events]) => events.map((_, n) => before + n))
  expect(versions).toEqual([...log.keys()])
  expect(inOrder.flatMap(([, events]) => events.map(({ data }) => data))).toEqual(
    log.map(({ data }) => data),
  )
}
