import { createStore, type NewEvent, type Store } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { loadTaggedLog } from './load-tagged-log.ts'
import { contrast, repeat, type Trial } from './trial.ts'

const names = ['append/condition', 'append/condition-10k', 'append/condition-growth'] as const
const fewEvents = 10_000

/**
 * How fast one event with one tag is appended under the condition that no event has the tag yet, as
 * one claims a name, beside the same append without a condition: into a log of many events, into one
 * of few, and the one beside the other.
 */
export const appendConditionBenchmark: Benchmark = { names, run: appendCondition }

async function appendCondition(settings: BenchSettings): Promise<readonly Measurement[]> {
  const { serverUrl, taggedEvents } = settings
  await using fewDatabase = await createBenchDatabase(serverUrl)
  await using manyDatabase = await createBenchDatabase(serverUrl)
  await loadTaggedLog(settings, fewDatabase, fewEvents)
  await loadTaggedLog(settings, manyDatabase, taggedEvents)
  await using fewStore = await openStore(fewDatabase)
  await using manyStore = await openStore(manyDatabase)
  const few = compareIn(settings, fewDatabase, fewStore)
  const many = compareIn(settings, manyDatabase, manyStore)

  // All four by turns: whether the size of the log matters is a question about one time, too.
  await repeat(settings, names[0], async () => {
    await few.measure()
    await many.measure()
  })
  const common = { ...emptyMeasurement, unit: 'events/s', timesOf: 'a call' }
  const plainly = (events: number) => `without a condition, ${events.toLocaleString('en')} events`
  return [
    {
      ...common,
      name: names[0],
      ...contrast(many.plain, many.conditional),
      against: plainly(taggedEvents),
    },
    {
      ...common,
      name: names[1],
      ...contrast(few.plain, few.conditional),
      against: plainly(fewEvents),
    },
    {
      ...common,
      name: names[2],
      ...contrast(few.conditional, many.conditional),
      against: `with a condition, ${fewEvents.toLocaleString('en')} events`,
    },
  ]
}

function openStore({ connectionString }: BenchDatabase): Promise<Store> {
  return createStore({ connectionString, events: [AccountCredited], maxConnections: 1 })
}

/** Both sides in one log, and what they have measured so far. */
interface Sides {
  readonly plain: readonly Trial[]
  readonly conditional: readonly Trial[]
  measure(): Promise<void>
}

function compareIn(settings: BenchSettings, database: BenchDatabase, store: Store): Sides {
  const plain: Trial[] = []
  const conditional: Trial[] = []
  let calls = 0
  const tagged = (tag: string): NewEvent => ({ ...credit(calls), tags: [tag] })
  const appendPlainly = () => {
    calls += 1
    return store.append(`plain-${calls % 100}`, tagged(`plain:${calls}`))
  }
  const claim = () => {
    calls += 1
    const tag = `claimed:${calls}`
    const condition = { query: { tags: [tag] } }
    return store.append(`claimed-${calls % 100}`, tagged(tag), { condition })
  }
  return {
    plain,
    conditional,
    measure: async () => {
      await database.settle()
      plain.push(await closedLoop(settings, { writers: 1, perCall: 1, call: appendPlainly }))
      await database.settle()
      conditional.push(await closedLoop(settings, { writers: 1, perCall: 1, call: claim }))
    },
  }
}
