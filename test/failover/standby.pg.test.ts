import { expect, test } from 'vitest'
import { runWorker } from '../../src/worker/worker.ts'
import { inBackground } from '../sequencer/background.ts'
import { captureLog } from '../sequencer/captured-log.ts'
import { append, readLedger, untilSequenced } from '../sequencer/ledger.ts'
import { untilReplayed } from '../support/servers/start-standby.ts'
import { until } from '../support/until.ts'
import { accounts, largeDeposits, reportLarge } from '../worker/fixtures/accounts.ts'
import { openPool, startPair } from './start-pair.ts'
import { untilBalance } from './until-balance.ts'

function startWorker(connectionString: string) {
  const log = captureLog()
  const background = inBackground((signal) =>
    runWorker(
      {
        connectionString,
        projections: [accounts],
        reactors: [largeDeposits],
        tasks: [reportLarge],
        logger: log,
        pollIntervalMs: 50,
        sealIntervalMs: 50,
      },
      signal,
    ),
  )
  return { ...background, log }
}

const deposit = [{ type: 'account.deposited', data: { account: 'a', amount: 100 } }]

test('a worker that is started on a standby says so, waits, and begins when it is promoted', async () => {
  const { pool, standby, failOver } = await startPair()
  await append(pool, 'account-a', deposit)
  await untilReplayed(pool, standby)
  await using worker = startWorker(standby.connectionString)
  await until('the worker to say that this is a standby', (saw) => {
    saw(worker.log.lines)
    return worker.log.withCode('DATABASE_READ_ONLY').length > 0
  })
  expect(worker.log.lines).toEqual([
    expect.objectContaining({
      level: 'warn',
      message: 'database "postgres" is on a standby: connect to the primary',
    }),
  ])

  const promoted = await failOver()
  await untilSequenced(promoted, await append(promoted, 'account-a', deposit))
  await untilBalance(promoted, 'a', '200')
  expect(worker.log.at('error')).toEqual([])
  await worker.stop()
})

test('a worker whose address leads to a standby for a while goes on when that is promoted', async () => {
  const { address, pool, standby, crash } = await startPair()
  await using worker = startWorker(address.connectionString)
  await untilSequenced(pool, await append(pool, 'account-a', deposit))
  const seen = await readLedger(pool)
  await untilReplayed(pool, standby)

  crash()
  address.moveTo(standby.port)
  await until('the worker to say that this is a standby', (saw) => {
    saw(worker.log.lines)
    return worker.log.withCode('DATABASE_READ_ONLY').length > 0
  })
  await standby.promote()
  const promoted = openPool(standby.connectionString)
  await untilSequenced(promoted, await append(promoted, 'account-a', deposit))
  await untilBalance(promoted, 'a', '200')
  expect((await readLedger(promoted)).slice(0, seen.length)).toEqual(seen)
  expect(worker.log.at('error').filter(({ fields }) => 'subscription' in fields)).toEqual([])
  await worker.stop()
})
