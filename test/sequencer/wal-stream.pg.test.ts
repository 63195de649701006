import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WalCommit } from '../../src/sequencer/commit-assembler.ts'
import { listSlots, releaseSlot } from '../../src/sequencer/slots.ts'
import { WalStream, type WalStreamOptions } from '../../src/sequencer/wal-stream.ts'
import { startCuttableProxy } from '../support/cuttable-proxy.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { holdReady } from './hold-ready.ts'
import { append, insertEvents } from './ledger.ts'

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

async function streamingProcess(): Promise<number | null> {
  const { rows } = await database.pool.query(
    'select active_pid from pg_replication_slots where slot_name = $1',
    [slot],
  )
  return rows[0].active_pid
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

test('fails when nothing comes from the server any more, though the connection stays open', async () => {
  await using network = await startCuttableProxy(database.connectionString)
  const stream = createStream({ connectionString: network.connectionString, serverSilenceMs: 600 })
  let started = false
  const ended = stream
    .run(() => {
      started = true
    })
    .then(
      () => 'well',
      (error: Error) => error.message,
    )
  await until('the stream to start', () => started)
  network.cutOpen()
  expect(await ended).toBe('the server has not answered for 600 ms')
  network.heal()
  await untilSlotIsFree()
})

test('asks a silent server whether it is there, and waits when it does not read itself', async () => {
  const stream = createStream({ serverSilenceMs: 200, statusIntervalMs: 60_000 })
  const run = stream.run(() => {})
  run.catch(() => {}) // awaited below
  const began = performance.now()
  await until('five times the limit to pass', () => performance.now() - began > 1_000)
  stream.pause()
  await insertEvents(database.pool, 'unread', 20_000)
  await until('five times the limit to pass again', () => performance.now() - began > 2_500)
  await stream.stop()
  await run
  await untilSlotIsFree()
})

test('is ended by another session though it does not read what the server sends', async () => {
  const stream = createStream()
  let started = false
  const failure = stream
    .run(() => {
      started = true
    })
    .then(
      () => 'ended without an error',
      (error: unknown) => error,
    )
  await until('the stream to start', () => started)
  stream.pause()
  await insertEvents(database.pool, 'much', 200_000)
  await until('the server to wait until somebody reads', async (saw) => {
    const { rows } = await database.pool.query(
      'select wait_event from pg_stat_replication join pg_stat_activity using (pid) where pid = $1',
      [await streamingProcess()],
    )
    saw(rows)
    return rows[0]?.wait_event === 'WalSenderWriteData'
  })

  const client = await database.client()
  const [held] = await listSlots(client, slot)
  if (held === undefined) throw new Error('the slot is gone')
  const began = performance.now()
  await releaseSlot(client, held)
  expect(await streamingProcess()).toBeNull()
  expect(performance.now() - began).toBeLessThan(4_000)
  stream.resume()
  expect(await failure).toBeInstanceOf(Error)
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
