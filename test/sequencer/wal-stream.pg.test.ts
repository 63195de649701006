import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WalCommit } from '../../src/sequencer/commit-assembler.ts'
import { WalStream, type WalStreamOptions } from '../../src/sequencer/wal-stream.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { holdReady } from './hold-ready.ts'
import { append } from './ledger.ts'

const database = useDatabase()
let slot: string

beforeAll(async () => {
  slot = `stream_${database.name}`
  await database.pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
})

afterAll(async () => {
  await database.pool.query('select pg_drop_replication_slot($1)', [slot])
})

function createStream(options: Partial<WalStreamOptions> = {}): WalStream {
  return new WalStream({
    connectionString: database.connectionString,
    slot,
    publication: 'tidemark_log',
    schema: 'tidemark',
    startLsn: 1n,
    statusIntervalMs: 1_000,
    onCommit: () => {},
    ...options,
  })
}

async function untilSlotIsFree(): Promise<void> {
  await until('the slot to be free', async (saw) => {
    const { rows } = await database.pool.query(
      'select active, active_pid from pg_replication_slots where slot_name = $1',
      [slot],
    )
    saw(rows)
    return rows[0].active === false
  })
}

test('ends however early it is stopped, and lets go of the slot', async () => {
  for (let delayMs = 0; delayMs < 40; delayMs += 1) {
    const stream = createStream()
    let ended = false
    const run = stream
      .run(() => {})
      .catch(() => {})
      .finally(() => {
        ended = true
      })
    await sleep(delayMs / 2)
    await stream.stop()
    await until(`the stream to end that was stopped after ${delayMs / 2} ms`, () => ended, {
      timeoutMs: 3_000,
    })
    await run
  }
  await untilSlotIsFree()
})

test('delivers again what was never said to be durable', async () => {
  const id = await append(database.pool, 'again', 2)
  const seen: WalCommit[][] = []
  for (let round = 0; round < 2; round += 1) {
    const commits: WalCommit[] = []
    const stream = createStream({ onCommit: (commit) => commits.push(commit) })
    const run = stream.run(() => {})
    await until('the commit', () => commits.length > 0)
    await stream.stop()
    await run
    await untilSlotIsFree()
    seen.push(commits)
  }
  expect(seen[1]).toEqual(seen[0])
  expect(seen[0]).toEqual([
    expect.objectContaining({ transactionId: id, eventCount: 2, incarnation: '1' }),
  ])
})

test('drops what ends at or before its start', async () => {
  const ids = [await append(database.pool, 'start'), await append(database.pool, 'start')]
  const all: WalCommit[] = []
  const first = createStream({ onCommit: (commit) => all.push(commit) })
  const firstRun = first.run(() => {})
  await until('both commits', () => all.at(-1)?.transactionId === ids[1])
  await first.stop()
  await firstRun
  await untilSlotIsFree()

  const rest: WalCommit[] = []
  const startLsn = all.at(-2)?.endLsn ?? 0n
  const second = createStream({ startLsn, onCommit: (commit) => rest.push(commit) })
  const secondRun = second.run(() => {})
  await until('the second commit', () => rest.length > 0)
  await second.stop()
  await secondRun
  await untilSlotIsFree()
  expect(rest.map((commit) => commit.transactionId)).toEqual([ids[1]])
})

test('fails when another one streams from the slot', async () => {
  const first = createStream()
  let started = false
  const firstRun = first.run(() => {
    started = true
  })
  await until('the first stream to start', () => started)
  await expect(createStream().run(() => {})).rejects.toMatchObject({ code: '55006' })
  await first.stop()
  await firstRun
  await untilSlotIsFree()
})

test('fails when its connection is cut', async () => {
  const stream = createStream()
  let started = false
  const run = stream.run(() => {
    started = true
  })
  const failure = run.then(
    () => 'ended without an error',
    (error: unknown) => error,
  )
  await until('the stream to start', () => started)
  await database.pool.query(
    'select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = $1',
    [slot],
  )
  expect(await failure).toBeInstanceOf(Error)
  await untilSlotIsFree()
})

test('fails, and does not throw into the socket, when its user does', async () => {
  const stream = createStream({
    onCommit: () => {
      throw new Error('no room')
    },
  })
  await append(database.pool, 'thrown')
  await expect(stream.run(() => {})).rejects.toThrow('no room')
  await untilSlotIsFree()
})

test('ends with an error when the server takes its readiness back in the same breath', async () => {
  await using proxy = await holdReady(database.connectionString)
  const stream = createStream({ connectionString: proxy.connectionString })
  const ended = stream
    .run(() => {})
    .then(
      () => 'well',
      (error: Error) => error.message,
    )
  await proxy.held
  await database.pool.query(/* sql */ `
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where application_name = 'tidemark sequencer (wal)'
      and datname = current_database()`)
  expect(await ended).toBe('terminating connection due to administrator command')
})
