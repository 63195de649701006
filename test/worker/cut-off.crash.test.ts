import { afterAll, expect, test } from 'vitest'
import { runWorker } from '../../src/index.ts'
import { findFaults } from '../faults/oracle/check-database.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { dropLogSlots } from '../sequencer/ledger.ts'
import { startCuttableProxy } from '../support/cuttable-proxy.ts'
import { useDatabase } from '../support/database.ts'
import { seededRandom } from '../support/random.ts'
import { accounts, largeDeposits, lastEntries } from './fixtures/accounts.ts'
import { appendAtRandom } from './fixtures/random-writers.ts'
import { untilCaughtUp } from './fixtures/until-caught-up.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

/** The slowest answer that is waited for may take half a minute. */
const limitMs = 60_000

test('a worker whose every connection passes nothing any more works on over new ones, alone', async () => {
  await using network = await startCuttableProxy(database.connectionString)
  const { connectionString } = network
  const log = captureLog()
  const projections = [accounts, lastEntries]
  await using worker = inBackground((signal) =>
    runWorker(
      { connectionString, projections, reactors: [largeDeposits], batchSize: 25, logger: log },
      signal,
    ),
  )
  const random = seededRandom(7)
  const appendSome = async () => {
    for (let i = 0; i < 30; i += 1) await appendAtRandom(database.pool, random)
  }
  await appendSome()
  await untilCaughtUp(database.pool)
  const appending = appendSome()
  network.cutOpen()
  await appending

  const began = performance.now()
  await untilCaughtUp(database.pool, { timeoutMs: limitMs })
  console.log(`worked on after ${Math.round(performance.now() - began)} ms`)
  await worker.stop()
  expect(log.at('error')).toEqual([])
  expect(await findFaults(database.pool)).toEqual([])
})
