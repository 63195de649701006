import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { findFaults } from '../faults/oracle/check-database.ts'
import { inBackground } from '../sequencer/background.ts'
import { startServer } from '../sequencer/start-server.ts'
import { startCuttableProxy } from '../support/cuttable-proxy.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { appendAtRandom } from './fixtures/random-writers.ts'
import { exitOf, spawnWorker } from './fixtures/spawn-worker.ts'
import { untilCaughtUp } from './fixtures/until-caught-up.ts'

const terminations = 30
const downSeconds = 12
/** Of a worker's sequencer, session, sealer and subscriptions together, once they have found out. */
const attemptsPerSecond = 2

test('a worker outlives lost sessions and a server that is away, and asks seldom whether it is back', async () => {
  const { server, connectionString, pool } = await startServer({})
  await using network = await startCuttableProxy(connectionString)
  const worker = spawnWorker(network.connectionString)
  onTestFinished(async () => {
    worker.kill('SIGKILL')
    await exitOf(worker)
  })
  let said = ''
  worker.stderr?.on('data', (text: Buffer) => {
    said += text
  })

  // Without a server it would not begin at all.
  await untilCaughtUp(pool)
  const random = seededRandom(4)
  const writing = inBackground(async (signal) => {
    while (!signal.aborted) {
      await appendAtRandom(pool, random)
      await pause(5)
    }
  })
  for (let i = 0; i < terminations; i += 1) {
    await pause(100)
    await pool.query(/* sql */ `
      select pg_terminate_backend(pid)
      from pg_stat_activity
      where application_name like 'tidemark%' and random() < 0.5`)
  }
  await writing.stop()
  await untilCaughtUp(pool)

  process.kill(server.pid, 'SIGQUIT')
  const counts: number[] = []
  for (let i = 0; i < downSeconds; i += 1) {
    const before = network.attempts
    await pause(1_000)
    counts.push(network.attempts - before)
  }
  console.log(`attempts to connect in each second without a server: ${counts.join(', ')}`)
  const late = counts.slice(downSeconds / 2)
  expect(late.reduce((sum, count) => sum + count, 0) / late.length).toBeLessThan(attemptsPerSecond)

  await server.restart()
  const began = performance.now()
  for (let i = 0; i < 20; i += 1) await appendAtRandom(pool, random)
  await untilCaughtUp(pool)
  console.log(`caught up ${Math.round(performance.now() - began)} ms after the server was back`)

  worker.kill('SIGTERM')
  const ended = await until('the worker to end by itself', () => worker.exitCode ?? undefined)
  expect(ended, said).toBe(0)
  expect(said).not.toMatch(/unhandled|uncaught/i)
  expect(await findFaults(pool)).toEqual([])
})
