import type pg from 'pg'
import { expect, test } from 'vitest'
import type { Subscriber } from '../../src/subscriptions/subscriber.ts'
import { runWorker } from '../../src/worker/worker.ts'
import { inBackground } from '../sequencer/background.ts'
import { append, findFaults, readOrder, sequenceNow } from '../sequencer/ledger.ts'
import {
  applyingBy,
  applyOf,
  readApplied,
  recordingSubscriber,
  startSubscription,
  untilAt,
} from '../subscriptions/log-fixture.ts'
import { until } from '../support/until.ts'
import { accounts } from '../worker/fixtures/accounts.ts'
import { startPair } from './start-pair.ts'
import { untilBalance } from './until-balance.ts'

// Some subscriptions here believe that they own theirs whatever befalls their session, as one does which
// has not noticed yet: their rights come from the checkpoint alone.

/** The log of a server as a subscriber of it must have applied it. */
async function expectedLog(pool: pg.Pool) {
  const order = await readOrder(pool)
  return order.map((event, i) => ({ position: BigInt(i) + 1n, event }))
}

test('a subscription that was ahead of the promoted standby goes on where that is', async () => {
  const { address, pool, separate, failOver, standby } = await startPair()
  const subscriber = await recordingSubscriber(pool, 'ahead')
  let timesCaughtUp = 0
  const counting: Subscriber = {
    ...subscriber,
    caughtUp: async () => {
      timesCaughtUp += 1
      return true
    },
  }
  const running = startSubscription(counting, { connectionString: address.connectionString })
  await append(pool, 'kept', 3)
  await untilAt(pool, 'ahead', await sequenceNow(pool))
  await separate()
  await append(pool, 'lost', 3)
  await untilAt(pool, 'ahead', await sequenceNow(pool))

  const promoted = await failOver()
  timesCaughtUp = 0
  address.moveTo(standby.port)
  await append(promoted, 'new', 2)
  expect(await sequenceNow(promoted)).toBe(5n)
  await untilAt(promoted, 'ahead', 5n)
  await until('it to take note that this is the end of the log', () => timesCaughtUp > 0)
  await append(promoted, 'newer', 4)
  await untilAt(promoted, 'ahead', await sequenceNow(promoted))
  expect(await readApplied(promoted, 'ahead')).toEqual(await expectedLog(promoted))
  expect(running.log.at('error')).toEqual([])
})

test('events that were read before a failover are not applied after it', async () => {
  const { address, pool, separate, failOver, standby } = await startPair()
  const recording = await recordingSubscriber(pool, 'read_ahead')
  let attempts = 0
  let isOver = false
  const failing: Subscriber = applyingBy(recording, async (client, events) => {
    attempts += 1
    if (events.some(({ streamId }) => streamId === 'lost') && !isOver) throw new Error('not yet')
    await applyOf(recording)(client, events)
  })
  startSubscription(failing, {
    connectionString: address.connectionString,
    maxAttempts: 100,
    forced: true,
  })
  await append(pool, 'kept', 3)
  await untilAt(pool, 'read_ahead', await sequenceNow(pool))
  await separate()
  await append(pool, 'lost', 3)
  await sequenceNow(pool)
  await until('the handler to fail', () => attempts >= 2)

  // In the time between two attempts, so that none of them meets the lost connection.
  const promoted = await failOver()
  address.moveTo(standby.port)
  isOver = true
  await append(promoted, 'new', 3)
  await untilAt(promoted, 'read_ahead', await sequenceNow(promoted))
  expect(await readApplied(promoted, 'read_ahead')).toEqual(await expectedLog(promoted))
})

test('a handler that threw on events which a failover took back stops nothing', async () => {
  const { address, pool, separate, failOver, standby } = await startPair()
  const recording = await recordingSubscriber(pool, 'took_back')
  const gate = Promise.withResolvers<void>()
  let isWaiting = false
  const throwing: Subscriber = applyingBy(recording, async (client, events) => {
    // The checkpoint's move is on its way before, so that it is known to have succeeded by now.
    await applyOf(recording)(client, events)
    if (!events.some(({ streamId }) => streamId === 'lost')) return
    isWaiting = true
    await gate.promise
    throw new Error('this event cannot be applied')
  })
  const running = startSubscription(throwing, {
    connectionString: address.connectionString,
    maxAttempts: 1,
    forced: true,
  })
  await append(pool, 'kept', 3)
  await untilAt(pool, 'took_back', await sequenceNow(pool))
  await separate()
  await append(pool, 'lost')
  await sequenceNow(pool)
  await until('the handler to be under way', () => isWaiting)

  const promoted = await failOver()
  address.moveTo(standby.port)
  gate.resolve()
  await append(promoted, 'new', 3)
  await untilAt(promoted, 'took_back', await sequenceNow(promoted))
  expect(await readApplied(promoted, 'took_back')).toEqual(await expectedLog(promoted))
  expect(running.log.at('error')).toEqual([])
})

async function deposit(pool: pg.Pool, account: string, amount: number): Promise<void> {
  const data = { account, amount }
  await append(pool, `account-${account}`, [{ type: 'account.deposited', data }])
}

test('rows that a worker remembers from before a failover are not what it goes on from', async () => {
  const { address, pool, separate, failOver, standby } = await startPair()
  const options = { projections: [accounts], pollIntervalMs: 50, seal: false }
  const start = (connectionString: string) =>
    inBackground((signal) => runWorker({ connectionString, ...options }, signal))
  await using first = start(address.connectionString)
  await deposit(pool, 'a', 1)
  await untilBalance(pool, 'a', '1')
  await separate()
  await deposit(pool, 'a', 10)
  await untilBalance(pool, 'a', '11')

  const promoted = await failOver()
  // Another worker is sooner at the promoted server, and brings the projection to the same position.
  await using second = start(standby.connectionString)
  await deposit(promoted, 'a', 100)
  await untilBalance(promoted, 'a', '101')
  await second.stop()
  address.moveTo(standby.port)
  await deposit(promoted, 'a', 1000)
  await untilBalance(promoted, 'a', '1101')
  expect(await findFaults(promoted)).toEqual([])
  await first.stop()
})
