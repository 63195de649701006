import { setTimeout as sleep } from 'node:timers/promises'
import { createStore, type Store } from '../src/index.ts'
import { queryOnce } from '../test/support/query-once.ts'
import { AccountCredited, credit } from './accounts.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { repeat, summarize, type Trial, toTrial } from './trial.ts'
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts'

const name = 'sequencer/recovery'
const killsPerRun = 5

/** How long after the leader's SIGKILL an event gets its position by a standby. */
export const sequencerRecoveryBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await recovery(settings)],
}

async function recovery(settings: BenchSettings): Promise<Measurement> {
  const { serverUrl, signal } = settings
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString } = database
  await using store = await createStore({ connectionString, events: [AccountCredited] })
  await using started = new AsyncDisposableStack()
  const start = async () =>
    started.use(await startWorkerProcess({ connectionString, keys: null }, signal))
  let leader = await start()
  const trials: Trial[] = []

  await repeat(settings, name, async () => {
    const timesMs: number[] = []
    for (let kill = 0; kill < killsPerRun; kill += 1) {
      const standby = await start()
      await untilTwo(connectionString, signal)
      timesMs.push(await recover(store, leader, signal))
      leader = standby
    }
    trials.push(toTrial(0, timesMs))
  })
  const { p50Ms, p99Ms } = summarize(trials)
  return { ...emptyMeasurement, name, p50Ms, p99Ms, timesOf: 'leader killed → sequenced' }
}

async function recover(store: Store, leader: WorkerProcess, signal: AbortSignal): Promise<number> {
  const began = performance.now()
  await leader.kill()
  const { token } = await store.append('account-recovered', credit(1))
  await store.waitFor(token, undefined, { timeoutMs: 30_000, signal })
  return performance.now() - began
}

/** Waits until a leader and a standby are there, and the one before is gone. */
async function untilTwo(connectionString: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const sessions = await queryOnce(
      connectionString,
      `select from pg_stat_activity
       where datname = current_database() and application_name = 'tidemark sequencer'`,
    )
    if (sessions.length === 2) return
    await sleep(20, undefined, { signal })
  }
}
