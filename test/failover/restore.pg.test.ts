import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createStore } from '../../src/worker/create-store.ts'
import { migrate } from '../../src/worker/migrate.ts'
import {
  append,
  findFaults,
  type LedgerRow,
  readLedger,
  readOrder,
  sequenceNow,
  untilSequenced,
} from '../sequencer/ledger.ts'
import { startSequencer } from '../sequencer/start-sequencer.ts'
import { startServer } from '../sequencer/start-server.ts'
import { untilReplayed } from '../support/servers/start-standby.ts'
import { until } from '../support/until.ts'
import { Deposited } from '../worker/fixtures/accounts.ts'
import { restoreLog } from './restore-log.ts'
import { startServerOfTools, tool, tools } from './server-tools.ts'
import { openPool, startPair } from './start-pair.ts'

/** A log whose transaction ids a new cluster is about to give again, restored on such a cluster. */
async function startRestored() {
  const [old, restored] = [await startServer({}), await startServer({})]
  await skipTo(old.pool, (await nextXid(restored.pool)) + 25n)
  for (let n = 0; n < 40; n += 1) await append(old.pool, `old-${n % 3}`, 1 + (n % 2))
  await sequenceNow(old.pool)
  await append(old.pool, 'old-unsequenced', 2)
  await restoreLog(old.connectionString, restored.connectionString)
  return { ...restored, before: await readLedger(old.pool) }
}

async function nextXid(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query('select pg_snapshot_xmax(pg_current_snapshot())::text as id')
  return BigInt(rows[0].id)
}

async function skipTo(pool: pg.Pool, xid: bigint): Promise<void> {
  while ((await nextXid(pool)) < xid) await pool.query('select pg_current_xact_id()')
}

/** Appends until the old cluster's ids have been given again. */
async function appendOver(pool: pg.Pool, before: readonly LedgerRow[]): Promise<string> {
  const last = BigInt(before.at(-1)?.transactionId ?? 0)
  for (let n = 0; ; n += 1) {
    const id = await append(pool, `new-${n % 3}`)
    if (BigInt(id) > last + 5n) return id
  }
}

/** How many transaction ids are in the ledger twice. */
function countRepeated(ledger: readonly LedgerRow[]): number {
  return ledger.length - new Set(ledger.map(({ transactionId }) => transactionId)).size
}

test('a restored log takes no append until it is begun in its new cluster, and then any', async () => {
  const { pool, connectionString, before } = await startRestored()
  expect(await append(pool, 'early').catch((error: unknown) => error)).toMatchObject({
    code: 'TM011',
    hint: expect.stringContaining('tidemark migrate'),
  })
  await using store = await createStore({ connectionString, events: [Deposited] })
  const event = Deposited({ account: 'a', amount: 1 })
  await expect(store.append('account-a', event)).rejects.toMatchObject({ code: 'LOG_MOVED' })

  await using sequencer = startSequencer({ connectionString })
  await sequencer.untilLeading()
  const last = await appendOver(pool, before)
  await untilSequenced(pool, last)
  const ledger = await readLedger(pool)
  expect(ledger.slice(0, before.length)).toEqual(before)
  expect(countRepeated(ledger)).toBeGreaterThan(10)
  expect(await readOrder(pool)).toContain('old-unsequenced/2')
  expect(await findFaults(pool)).toEqual([])
})

test('of several workers that start on a restored log, one begins an incarnation, once', async () => {
  const { pool, connectionString, before } = await startRestored()
  const workers = Array.from({ length: 4 }, () => startSequencer({ connectionString }))
  await using _workers = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(workers.map((w) => w.stop()))),
  }
  await until('one to lead', () => workers.some(({ leads }) => leads))
  await untilSequenced(pool, await appendOver(pool, before))
  await workers.find(({ leads }) => leads)?.stop()
  await untilSequenced(pool, await append(pool, 'after'))

  const lines = workers.flatMap(({ log }) => log.lines)
  expect(lines.filter(({ message }) => message.includes('incarnation'))).toHaveLength(1)
  const ledger = await readLedger(pool)
  expect(new Set(ledger.map(({ incarnation }) => incarnation))).toEqual(new Set([1, 2]))
  expect(await findFaults(pool)).toEqual([])
})

test('migrate begins a restored log, so that appends go on before any worker runs', async () => {
  const { pool, connectionString, before } = await startRestored()
  const first = await migrate({ connectionString, jobSchema: false })
  const second = await migrate({ connectionString, jobSchema: false })
  expect([first.incarnation, second.incarnation]).toEqual([2, null])
  const last = await appendOver(pool, before)
  await using sequencer = startSequencer({ connectionString })
  expect((await untilSequenced(pool, last)).incarnation).toBe(2)
  await sequencer.untilLeading()
  expect((await readLedger(pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(pool)).toEqual([])
})

test('a log that is restored on a clone of its server begins an incarnation, too', async () => {
  const { pool, connectionString, standby } = await startPair()
  await append(pool, 'common', 2)
  await sequenceNow(pool)
  await untilReplayed(pool, standby)
  // A clone has the same system identifier, and goes its own way from here.
  await standby.promote()
  const clone = openPool(standby.connectionString)
  await skipTo(pool, (await nextXid(clone)) + 25n)
  for (let n = 0; n < 40; n += 1) await append(pool, `old-${n % 3}`)
  await sequenceNow(pool)
  const before = await readLedger(pool)
  await restoreLog(connectionString, standby.connectionString)

  await using sequencer = startSequencer({ connectionString: standby.connectionString })
  await sequencer.untilLeading()
  await untilSequenced(clone, await appendOver(clone, before))
  const ledger = await readLedger(clone)
  expect(ledger.slice(0, before.length)).toEqual(before)
  expect(countRepeated(ledger)).toBeGreaterThan(10)
  expect(await findFaults(clone)).toEqual([])
})

test('a log stays at home when its tables are frozen and written anew', async () => {
  const { pool } = await startServer({})
  await append(pool, 'before')
  await pool.query('vacuum (freeze) tidemark.home')
  await append(pool, 'frozen')
  await pool.query('vacuum (full) tidemark.home')
  await append(pool, 'rewritten')
  expect(await readOrder(pool)).toEqual([])
  await sequenceNow(pool)
  expect(await findFaults(pool)).toEqual([])
})

describe.skipIf(tools === undefined)("with the server's own pg_dump and pg_restore", () => {
  test('a log goes to another cluster without a person, and its ids may come again', async () => {
    const start = async () => {
      const { connectionString } = await startServerOfTools()
      return { connectionString, pool: openPool(connectionString) }
    }
    const [old, restored] = [await start(), await start()]
    await migrate({ connectionString: old.connectionString, jobSchema: false })
    await using first = startSequencer({ connectionString: old.connectionString })
    await first.untilLeading()
    // More than a restore takes, whose every statement is a transaction.
    await skipTo(old.pool, (await nextXid(restored.pool)) + 2_000n)
    for (let n = 0; n < 40; n += 1) await append(old.pool, `old-${n % 3}`, 1 + (n % 2))
    await untilSequenced(old.pool, await append(old.pool, 'old-last'))
    const before = await readLedger(old.pool)

    const file = join(await mkdtemp(join(tmpdir(), 'tidemark-dump-')), 'log.dump')
    onTestFinished(() => rm(dirname(file), { recursive: true }))
    const run = promisify(execFile)
    await run(tool('pg_dump'), ['--format=custom', `--file=${file}`, old.connectionString])
    // Roles are of the cluster; migrate makes and grants them.
    const into = `--dbname=${restored.connectionString}`
    await run(tool('pg_restore'), ['--no-privileges', into, file])
    await expect(append(restored.pool, 'early')).rejects.toMatchObject({ code: 'TM011' })

    await using second = startSequencer({ connectionString: restored.connectionString })
    await second.untilLeading()
    await skipTo(restored.pool, BigInt(before[0]?.transactionId ?? 0) - 2n)
    await untilSequenced(restored.pool, await appendOver(restored.pool, before))
    const ledger = await readLedger(restored.pool)
    expect(ledger.slice(0, before.length)).toEqual(before)
    expect(countRepeated(ledger)).toBeGreaterThan(5)
    expect(await findFaults(restored.pool)).toEqual([])
  })
})
