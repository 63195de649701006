import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { loadLog } from './load-log.ts'
import { readWholeLog } from './read-log.ts'
import { repeat, summarize, type Trial } from './trial.ts'

const name = 'projection/read'

/** How fast a process reads the log in its order, in pages of 5,000, doing nothing with it. */
export const projectionReadBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await read(settings)],
}

async function read(settings: BenchSettings): Promise<Measurement> {
  await using database = await createBenchDatabase(settings.serverUrl)
  await loadLog(settings, database)
  await readWholeLog(settings, database)
  const trials: Trial[] = []
  await repeat(settings, name, async () => {
    trials.push(await readWholeLog(settings, database))
  })
  return { ...emptyMeasurement, name, ...summarize(trials), unit: 'events/s' }
}
