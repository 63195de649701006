import { createStore } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { type Announcement, listen } from './listen.ts'
import { openLoop } from './open-loop.ts'
import { repeat, summarize, type Trial, toTrial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'sequencer/latency-1k'
const appendsPerSecond = 1_000
const streams = 1_000

/** How long after its append returned a commit has its position, while 1,000 are appended a second. */
export const sequencerLatency1kBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await latency(settings)],
}

interface Append {
  readonly transactionId: string
  readonly returnedMs: number
}

async function latency(settings: BenchSettings): Promise<Measurement> {
  const { serverUrl, seconds, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using _worker = await startWorkerProcess({ connectionString, keys: null }, signal)
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await using listener = await listen(connectionString)
  const call = async (count: number) => {
    const { token } = await store.append(`account-${count % streams}`, credit(count))
    return { transactionId: token.split('.')[1] ?? '', token, returnedMs: performance.now() }
  }
  const loop = { perSecond: appendsPerSecond, call }
  await openLoop(settings, { ...loop, seconds: Math.max(1, seconds / 4) })
  const trials: Trial[] = []

  await repeat(settings, name, async () => {
    await database.settle()
    const { rate, answers } = await openLoop(settings, { ...loop, seconds })
    const last = answers.at(-1)?.token ?? ''
    await store.waitFor(last, undefined, { timeoutMs: 30_000, signal })
    const positions = await readPositions(connectionString)
    trials.push(toTrial(rate, times(answers, positions, listener.announcements)))
  })
  return {
    ...emptyMeasurement,
    name,
    ...summarize(trials),
    unit: 'appends/s',
    timesOf: 'append returned → sequenced, heard',
  }
}

async function readPositions(connectionString: string): Promise<ReadonlyMap<string, number>> {
  const rows = await queryOnce(
    connectionString,
    'select transaction_id::text as id, position::integer from tidemark.commits',
  )
  return new Map(rows.map(({ id, position }) => [String(id), Number(position)]))
}

/** How long after each append its position, or a later one, was heard of. */
function times(
  appends: readonly Append[],
  positions: ReadonlyMap<string, number>,
  announcements: readonly Announcement[],
): readonly number[] {
  return appends.map(({ transactionId, returnedMs }) => {
    const position = positions.get(transactionId) ?? Number.POSITIVE_INFINITY
    const heard = announcements.find((announcement) => announcement.position >= position)
    if (heard === undefined) throw new Error(`transaction ${transactionId} was never announced`)
    return heard.atMs - returnedMs
  })
}
