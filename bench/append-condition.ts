import { createStore, type NewEvent } from '../src/index.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { loadTaggedLog } from './load-tagged-log.ts'
import { compare } from './trial.ts'

const name = 'append/condition'

/**
 * How fast one event with one tag is appended under the condition that no event has the tag yet, as
 * one claims a name, beside the same append without a condition, into a log that is full already.
 */
export const appendConditionBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await appendCondition(settings)],
}

async function appendCondition(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  await loadTaggedLog(settings, database)
  const { connectionString } = database
  const events = [AccountCredited]
  await using store = await createStore({ connectionString, events, maxConnections: 1 })
  let calls = 0
  const tagged = (tag: string): NewEvent => ({ ...credit(calls), tags: [tag] })

  const compared = await compare(settings, {
    name,
    base: async () => {
      await database.settle()
      const call = () => {
        calls += 1
        return store.append(`plain-${calls % 100}`, tagged(`plain:${calls}`))
      }
      return closedLoop(settings, { writers: 1, perCall: 1, call })
    },
    ours: async () => {
      await database.settle()
      const call = () => {
        calls += 1
        const tag = `claimed:${calls}`
        const condition = { query: { tags: [tag] } }
        return store.append(`claimed-${calls % 100}`, tagged(tag), { condition })
      }
      return closedLoop(settings, { writers: 1, perCall: 1, call })
    },
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'events/s',
    against: `the same without a condition, ${settings.events.toLocaleString('en')} events`,
    timesOf: 'a call',
  }
}
