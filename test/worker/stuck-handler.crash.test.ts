import type pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { logNames } from '../../src/db/log-names.ts'
import { reactor, runWorker, task } from '../../src/index.ts'
import { appendToStream } from '../../src/store/append.ts'
import { inBackground } from '../sequencer/background.ts'
import { untilStreaming } from '../sequencer/ledger.ts'
import { startServer } from '../sequencer/start-server.ts'
import { until } from '../support/until.ts'
import { accounts, Deposited } from './fixtures/accounts.ts'
import { exitOf, spawnWorker } from './fixtures/spawn-worker.ts'

/** A server that shuts down waits for a silent process as long as a leader may be silent: 5 s. */
const blockedLimitMs = 8_000
const limitMs = 3_000

async function deposit(pool: pg.Pool): Promise<void> {
  const events = [Deposited({ account: 'a', amount: 1 })]
  await appendToStream(pool, logNames(), { streamId: 'account-a', events })
}

test('a fast shutdown waits seconds for a worker whose event loop a handler blocks for ever', async () => {
  const { server, connectionString, pool } = await startServer({ wal_sender_timeout: '0' })
  const worker = spawnWorker(connectionString, 'stuck-worker')
  onTestFinished(async () => {
    worker.kill('SIGKILL')
    await exitOf(worker)
  })
  let said = ''
  worker.stdout?.on('data', (text: Buffer) => {
    said += text
  })
  await untilStreaming(pool)
  await deposit(pool)
  await until('the handler to be stuck', () => said.includes('stuck'))

  const began = performance.now()
  await server.restart('fast')
  const tookMs = performance.now() - began
  console.log(`blocked: ${Math.round(tookMs)} ms to shut down and start`)
  expect(tookMs).toBeLessThan(blockedLimitMs)
})

test('a fast shutdown does not wait for a handler that sleeps for ever', async () => {
  const { server, connectionString, pool } = await startServer({ wal_sender_timeout: '0' })
  const begun = Promise.withResolvers<void>()
  const wake = Promise.withResolvers<void>()
  const sleeping = task('sleeping', {
    payload: z.object({}),
    run: async () => {
      begun.resolve()
      await wake.promise
    },
  })
  const asking = reactor('asking', {
    events: [Deposited],
    from: 'start',
    on: { 'account.deposited': () => sleeping({}) },
  })
  await using worker = inBackground((signal) =>
    runWorker(
      { connectionString, projections: [accounts], reactors: [asking], tasks: [sleeping] },
      signal,
    ),
  )
  await untilStreaming(pool)
  await deposit(pool)
  await begun.promise

  const began = performance.now()
  await server.restart('fast')
  const tookMs = performance.now() - began
  console.log(`sleeping: ${Math.round(tookMs)} ms to shut down and start`)
  expect(tookMs).toBeLessThan(limitMs)
  await deposit(pool)
  await until('the projection to go on meanwhile', async (saw) => {
    const { rows } = await pool.query('select entries from accounts.balances')
    saw(rows)
    return rows[0]?.entries === 2
  })
  wake.resolve()
  await worker.stop()
})
