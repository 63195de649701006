import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { findFaults } from '../faults/oracle/check-database.ts'
import { useDatabase } from '../support/database.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { appendAtRandom } from './fixtures/random-writers.ts'
import { exitOf, spawnWorker } from './fixtures/spawn-worker.ts'
import { untilCaughtUp } from './fixtures/until-caught-up.ts'

const database = useDatabase()
const kills = 20
const writers = 4
/** Of each writer, so that a fast machine does not leave more than a minute's work. */
const maxTransactions = 2_000

test.skipIf(inject('postgres').walLevel !== 'logical')(
  'a worker killed at random moments loses, repeats and reorders nothing',
  async () => {
    const seed = Number(process.env.TIDEMARK_TEST_SEED ?? Date.now() % 1e9)
    console.log(`seed ${seed} (TIDEMARK_TEST_SEED=${seed} runs it again)`)
    const random = seededRandom(seed)
    const seen = new Map<string, string>()
    const writing = new AbortController()
    const written = Array.from({ length: writers }, (_, index) =>
      write(seededRandom(seed + index + 1), writing.signal),
    )
    try {
      for (let kill = 0; kill < kills; kill += 1) await runAndKill(random, seen)
    } finally {
      writing.abort()
    }
    const transactions = (await Promise.all(written)).reduce((sum, count) => sum + count, 0)

    const worker = startWorker()
    // Everything may be caught up before it has begun, and before it listens to signals.
    await untilRunning(worker)
    await untilCaughtUp(database.pool, { timeoutMs: 120_000 })
    worker.kill('SIGTERM')
    expect(await exitOf(worker)).toBe(0)

    const faults = await findFaults(database.pool)
    const changed = await changedPositions(seen)
    console.log(`${transactions} transactions, ${kills} kills, ${seen.size} positions watched`)
    await dropSlots()
    expect(transactions).toBeGreaterThan(100)
    expect(seen.size).toBeGreaterThan(50)
    expect([...faults, ...changed]).toEqual([])
  },
)

async function write(random: Random, signal: AbortSignal): Promise<number> {
  let count = 0
  for (; !signal.aborted && count < maxTransactions; count += 1)
    await appendAtRandom(database.pool, random)
  return count
}

/** Sometimes two at once, sometimes their connections go first; some die before they have begun. */
async function runAndKill(random: Random, seen: Map<string, string>): Promise<void> {
  const workers = Array.from({ length: random.chance(0.3) ? 2 : 1 }, startWorker)
  if (random.chance(0.7)) await Promise.all(workers.map(untilRunning))
  // The one wait for time in the tests: the moment of the kill is what is random.
  await delay(random.between(50, 1_500))
  if (random.chance(0.3)) await terminateBackends()
  await watchPositions(seen)
  for (const worker of workers) worker.kill('SIGKILL')
  await Promise.all(workers.map(exitOf))
}

function startWorker(): ChildProcess {
  const worker = spawnWorker(database.connectionString)
  worker.stderr?.pipe(process.stderr)
  return worker
}

/** Its parts have begun; or it is gone already. */
async function untilRunning(worker: ChildProcess): Promise<void> {
  if (worker.stdout === null || worker.exitCode !== null) return
  await Promise.race([once(worker.stdout, 'data'), once(worker, 'exit')])
}

async function terminateBackends(): Promise<void> {
  await database.pool.query(/* sql */ `
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where datname = current_database()
      and application_name like 'tidemark%'
      and random() < 0.7`)
}

const positionQuery = 'select transaction_id::text as id, position::text from tidemark.commits'

async function watchPositions(seen: Map<string, string>): Promise<void> {
  const { rows } = await database.pool.query<{ id: string; position: string }>(positionQuery)
  for (const { id, position } of rows) if (!seen.has(id)) seen.set(id, position)
}

async function changedPositions(seen: ReadonlyMap<string, string>): Promise<string[]> {
  const now = new Map<string, string>()
  await watchPositions(now)
  return [...seen]
    .filter(([id, position]) => now.get(id) !== position)
    .map(([id, position]) => `transaction ${id} was at ${position}, now ${now.get(id)}`)
}

/** A killed worker leaves its slot for the next one. */
async function dropSlots(): Promise<void> {
  await database.pool.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1',
    [database.name],
  )
}
