import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { isConnectionLoss, sqlstate, sqlstateOf } from '../../src/db/sqlstate.ts'
import { inBackground } from '../sequencer/background.ts'
import { append, findFaults, type LedgerRow, readLedger, readOrder } from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import {
  readApplied,
  readSubscription,
  recordingSubscriber,
  startSubscription,
} from '../subscriptions/log-fixture.ts'
import { untilReplayed } from '../support/servers/start-standby.ts'
import { until } from '../support/until.ts'
import { openPool, type Pair, startPair } from './start-pair.ts'

/** Appends until stopped, whatever becomes of the server; keeps what the server said is committed. */
function startWriter(connectionString: string, stream: string) {
  const pool = new pg.Pool({ connectionString, max: 1 })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  const committed: string[] = []
  const background = inBackground(async (signal) => {
    for (let i = 0; !signal.aborted; i += 1) {
      try {
        committed.push(await append(pool, `${stream}-${i % 3}`, 1 + (i % 3)))
      } catch (error) {
        // A standby that is not promoted yet takes no appends.
        const isStandby = sqlstateOf(error) === sqlstate.readOnlyTransaction
        if (!isStandby && !isConnectionLoss(error)) throw error
      }
    }
  })
  return { ...background, committed }
}

interface Load {
  /** What writers were told is committed, before and after the failover. */
  readonly committed: readonly (readonly [before: readonly string[], after: readonly string[]])[]
  /** The ledger of the first primary, as it was seen by who looked last. */
  readonly seen: readonly LedgerRow[]
  /** The ledger that the promoted server had before a worker was there. */
  readonly kept: readonly LedgerRow[]
  readonly promoted: pg.Pool
}

/** Fails over amid a stream of appends, with a worker and a subscription that outlive it. */
async function failOverUnderLoad({ address, pool, standby, crash }: Pair): Promise<Load> {
  const subscriber = await recordingSubscriber(pool, 'under_load')
  await untilReplayed(pool, standby)
  await using sequencer = startSequencer({ connectionString: address.connectionString })
  startSubscription(subscriber, { connectionString: address.connectionString, batchSize: 7 })
  await sequencer.untilLeading()
  const writers = ['a', 'b', 'c'].map((name) => startWriter(address.connectionString, name))
  await until('appends', () => writers.every(({ committed }) => committed.length > 50))

  const seen = await readLedger(pool)
  crash()
  const marks = writers.map(({ committed }) => committed.length)
  await standby.promote()
  const promoted = openPool(standby.connectionString)
  const kept = await readLedger(promoted)
  address.moveTo(standby.port)
  await until('more appends', () =>
    writers.every(({ committed }, i) => committed.length > (marks[i] ?? 0) + 50),
  )
  for (const writer of writers) await writer.stop()
  await until('all to be sequenced and applied', async (saw) => {
    const { rows } = await promoted.query('select count(*) as events from tidemark.events')
    const row = await readSubscription(promoted, 'under_load')
    saw({ rows, row })
    return String(row?.position) === rows[0].events
  })
  const committed = writers.map(
    (writer, i) => [writer.committed.slice(0, marks[i]), writer.committed.slice(marks[i])] as const,
  )
  return { committed, seen, kept, promoted }
}

async function expectOneOrder({ seen, kept, promoted }: Load): Promise<void> {
  const ledger = await readLedger(promoted)
  expect(ledger.slice(0, kept.length)).toEqual(kept)
  const common = Math.min(seen.length, kept.length)
  expect(kept.slice(0, common)).toEqual(seen.slice(0, common))
  expect(new Set(ledger.map(({ incarnation }) => incarnation))).toEqual(new Set([1]))
  expect(await findFaults(promoted)).toEqual([])
  expect(await readApplied(promoted, 'under_load')).toEqual(
    (await readOrder(promoted)).map((event, i) => ({ position: BigInt(i) + 1n, event })),
  )
}

test('a standby that is promoted amid a stream of appends goes on with the order that it has', async () => {
  const load = await failOverUnderLoad(await startPair())
  await expectOneOrder(load)
  const sequenced = new Set((await readLedger(load.promoted)).map((row) => row.transactionId))
  for (const [, after] of load.committed)
    expect(after.filter((id) => !sequenced.has(id))).toEqual([])
}, 60_000)

test('with a synchronous standby nothing that was committed is lost by its promotion', async () => {
  const pair = await startPair()
  await pair.pool.query("alter system set synchronous_standby_names = '*'")
  await pair.pool.query('select pg_reload_conf()')
  await until('the standby to be synchronous', async (saw) => {
    const { rows } = await pair.pool.query('select sync_state from pg_stat_replication')
    saw(rows)
    return rows.some(({ sync_state }) => sync_state === 'sync')
  })
  const load = await failOverUnderLoad(pair)
  await expectOneOrder(load)
  const sequenced = new Set((await readLedger(load.promoted)).map((row) => row.transactionId))
  for (const ids of load.committed.flat()) {
    expect(ids.length).toBeGreaterThan(50)
    expect(ids.filter((id) => !sequenced.has(id))).toEqual([])
  }
  expect(load.kept.length).toBeGreaterThanOrEqual(load.seen.length)
}, 60_000)
