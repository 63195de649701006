import { createStore } from '../src/index.ts'
import { AccountCredited, balances, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { compare, type Trial } from './trial.ts'

/** Rows that the events are folded into. */
const keys = 1_000

/** What an inline fold costs the appends that apply it, beside the same appends without. */
export const projectionInlineBenchmarks: readonly Benchmark[] = [
  { name: 'projection/inline', writers: 1 },
  { name: 'projection/inline-32', writers: 32 },
].map(({ name, writers }) => ({
  names: [name],
  run: async (settings) => [await inline(settings, name, writers)],
}))

async function inline(
  settings: BenchSettings,
  name: string,
  writers: number,
): Promise<Measurement> {
  await using plain = await openLog(settings, false)
  await using folded = await openLog(settings, true)
  const compared = await compare(settings, {
    name,
    base: () => plain.append(writers),
    ours: () => folded.append(writers),
  })
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'events/s',
    against: `the same appends without, ${writers} writer${writers === 1 ? '' : 's'}`,
    timesOf: 'a call',
  }
}

/** A log of its own: where a projection is inline, nobody appends without it. */
async function openLog(settings: BenchSettings, isInline: boolean) {
  const database = await createBenchDatabase(settings.serverUrl)
  const projection = balances(keys, 1)
  const store = await createStore({
    connectionString: database.connectionString,
    events: [AccountCredited],
    maxConnections: 32,
    ...(isInline ? { inline: [projection] } : {}),
  })
  if (isInline) await store.setMode(projection, 'inline')
  let calls = 0
  return {
    append: async (writers: number): Promise<Trial> => {
      await database.settle()
      const call = (writer: number) => {
        calls += 1
        return store.append(`account-${writer}`, credit(calls), { expect: 'any' })
      }
      return closedLoop(settings, { writers, perCall: 1, call })
    },
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}
