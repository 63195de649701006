import fc from 'fast-check'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isTidemarkError } from '../../src/core/tidemark-error.ts'
import { createPool } from '../../src/db/connect.ts'
import type { Connection } from '../../src/db/queryable.ts'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import type { Expectation, StreamAppend } from '../../src/store/check-append.ts'
import { useDatabase } from '../support/database.ts'
import { Noted, names } from './fixtures.ts'
import { holds, type Outcome, StreamModel } from './stream-model.ts'

const database = useDatabase()

const connectionCount = 4
let pipelined: pg.Pool
let kyselyPool: pg.Pool
let kysely: Kysely<unknown>

beforeAll(() => {
  const { connectionString } = database
  pipelined = createPool({ connectionString, max: connectionCount })
  kyselyPool = new pg.Pool({ connectionString, max: connectionCount })
  kysely = new Kysely({ dialect: new PostgresDialect({ pool: kyselyPool }) })
})

afterAll(async () => {
  await pipelined.end()
  await kysely.destroy()
})

/** One stream goes through `appendToStream`; several, or none, through `appendToStreams`. */
type Call = readonly StreamAppend[]

interface Transaction {
  /** Alone on a pool, on a client in a transaction, or in a Kysely transaction. */
  readonly by: 'pool' | 'client' | 'kysely'
  readonly calls: readonly Call[]
  readonly end: 'commit' | 'rollback'
}

async function perform(connection: Connection, call: Call): Promise<Outcome> {
  const [only] = call
  try {
    const results =
      call.length === 1 && only !== undefined
        ? [await appendToStream(connection, names, only)]
        : await appendToStreams(connection, names, call)
    return { versions: results.map(({ streamId, version }) => [streamId, version] as const) }
  } catch (error) {
    if (isTidemarkError(error, 'APPEND_INVALID')) return { code: error.code }
    if (!isTidemarkError(error, 'STREAM_VERSION_CONFLICT')) throw error
    const { streamId, actualVersion } = error.details
    return { code: error.code, streamId, actualVersion }
  }
}

async function performAll(connection: Connection, calls: readonly Call[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const call of calls) outcomes.push(await perform(connection, call))
  return outcomes
}

/** Carries a transaction out; what it does with each call is the same however it is made. */
async function run({ by, calls, end }: Transaction): Promise<Outcome[]> {
  if (by === 'pool') return performAll(pipelined, calls)
  if (by === 'client') {
    const client = await pipelined.connect()
    await client.query('begin')
    const outcomes = await performAll(client, calls)
    await client.query(end)
    client.release()
    return outcomes
  }
  const transaction = await kysely.startTransaction().execute()
  const outcomes = await performAll(transaction, calls)
  await transaction[end]().execute()
  return outcomes
}

/** Reads every event of the streams whose names begin with a prefix. */
async function readAll(prefix: string): Promise<Record<string, unknown[]>> {
  const { rows } = await pipelined.query<{ stream_id: string; data: unknown[] }>(
    /* sql */ `
      select stream_id, jsonb_agg(data order by version) as data
      from tidemark.events
      where starts_with(stream_id, $1)
      group by stream_id`,
    [prefix],
  )
  return Object.fromEntries(rows.map((row) => [row.stream_id, row.data]))
}

/** A call as fast-check draws it: which streams, how many events for each. */
type Plan = readonly {
  readonly stream: number
  readonly events: number
  readonly expect: Expectation
}[]

/** Draws calls on few streams, so that they meet. */
function plans(options: { readonly valid: boolean }): fc.Arbitrary<Plan> {
  const append = fc.record({
    stream: fc.nat({ max: 3 }),
    events: fc.integer({ min: options.valid ? 1 : 0, max: 3 }),
    expect: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Expectation>('any') },
      { weight: 1, arbitrary: fc.constantFrom<Expectation>('absent', 'present') },
      { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: 6n }) },
    ),
  })
  const many = options.valid
    ? fc.uniqueArray(append, { minLength: 1, maxLength: 4, selector: ({ stream }) => stream })
    : fc.array(append, { maxLength: 4 })
  return fc.oneof(fc.tuple(append), many)
}

const ways = fc.constantFrom<Transaction['by']>('pool', 'client', 'kysely')

let runs = 0
let numbers = 0

/** Keeps the streams of each run apart. */
function newPrefix(): string {
  runs += 1
  return `run-${runs}-`
}

function toCall(prefix: string, plan: Plan): Call {
  return plan.map(({ stream, events, expect: expectation }) => ({
    streamId: `${prefix}${stream}`,
    events: Array.from({ length: events }, () => {
      numbers += 1
      return Noted({ n: numbers })
    }),
    expect: expectation,
  }))
}

test('streams and errors are those of a simple model, whoever appends in whichever way', async () => {
  const transaction = fc.record({
    by: ways,
    plans: fc.array(plans({ valid: false }), { maxLength: 3 }),
    end: fc.constantFrom<Transaction['end']>('commit', 'rollback'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(transaction, { maxLength: 14 }), async (transactions) => {
      const prefix = newPrefix()
      const model = new StreamModel()
      for (const { by, end, plans: planned } of transactions) {
        const calls = planned.map((plan) => toCall(prefix, plan))
        const target = by !== 'pool' && end === 'rollback' ? model.copy() : model
        const expected = calls.map((call) => target.append(call))
        expect(await run({ by, calls, end })).toEqual(expected)
      }
      expect(await readAll(prefix)).toEqual(model.toObject())
    }),
    { numRuns: 60 },
  )
})

interface Concurrent {
  readonly call: Call
  /** Versions that were known of the streams when the call was made. */
  readonly known: ReadonlyMap<string, bigint>
  readonly outcome: Outcome
}

test('concurrent appends have the outcome of some order, which is that of their last events', async () => {
  const script = fc.record({
    by: ways,
    plans: fc.array(plans({ valid: true }), { minLength: 1, maxLength: 8 }),
  })
  const scripts = fc.array(script, { minLength: 2, maxLength: connectionCount })
  await fc.assert(
    fc.asyncProperty(scripts, async (drawn) => {
      const prefix = newPrefix()
      const known = new Map<string, bigint>()
      const lists = drawn.map(({ by, plans: planned }) => {
        const calls = planned.map((plan) => toCall(prefix, plan))
        return follow(by, calls, known)
      })
      const done = (await Promise.all(lists)).flat()

      const model = new StreamModel()
      const history = new Map<string, bigint[]>()
      for (const { call, outcome } of await inOrder(prefix, done)) {
        expect(outcome).toEqual(model.append(call))
        for (const { streamId } of call) {
          history.set(streamId, [...(history.get(streamId) ?? [0n]), model.versionOf(streamId)])
        }
      }
      for (const attempt of done) expectExplained(attempt, history)
      expect(await readAll(prefix)).toEqual(model.toObject())
    }),
    { numRuns: 40 },
  )
})

/** Carries out the calls of one writer, beside the others. */
async function follow(
  by: Transaction['by'],
  calls: readonly Call[],
  known: Map<string, bigint>,
): Promise<Concurrent[]> {
  const attempts: Concurrent[] = []
  for (const call of calls) {
    const before = new Map(known)
    const [outcome] = await run({ by, calls: [call], end: 'commit' })
    if (outcome === undefined) throw new Error('the call has no outcome')
    attempts.push({ call, known: before, outcome })
    for (const [streamId, version] of 'versions' in outcome ? outcome.versions : []) {
      if (version > (known.get(streamId) ?? 0n)) known.set(streamId, version)
    }
  }
  return attempts
}

/** Puts the successful calls in the order of the last event of each. */
async function inOrder(prefix: string, done: readonly Concurrent[]): Promise<Concurrent[]> {
  const { rows } = await pipelined.query<{ numbers: number[] }>(
    /* sql */ `
      select array_agg((data ->> 'n')::integer) as numbers
      from tidemark.events
      where starts_with(stream_id, $1)
      group by transaction_id
      order by max(insert_id)`,
    [prefix],
  )
  const successful = done.filter(({ outcome }) => 'versions' in outcome)
  const byNumber = new Map(
    successful.flatMap((attempt) => numbersOf(attempt.call).map((n) => [n, attempt] as const)),
  )
  const ordered = rows.map((row) => byNumber.get(row.numbers[0] ?? 0))
  expect(ordered.length).toBe(successful.length)
  return ordered.filter((attempt) => attempt !== undefined)
}

function numbersOf(call: Call): number[] {
  return call.flatMap(({ events }) => events.map(({ data }) => (data as { n: number }).n))
}

/** A conflict is right when the stream was at that version, not before the writer knew better. */
function expectExplained(
  { call, known, outcome }: Concurrent,
  history: ReadonlyMap<string, readonly bigint[]>,
): void {
  if (!('streamId' in outcome)) return
  const { streamId, actualVersion } = outcome
  const append = call.find((candidate) => candidate.streamId === streamId)
  expect(holds(append?.expect, actualVersion)).toBe(false)
  expect(history.get(streamId) ?? [0n]).toContain(actualVersion)
  expect(actualVersion).toBeGreaterThanOrEqual(known.get(streamId) ?? 0n)
}
