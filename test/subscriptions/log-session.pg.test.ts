import { expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { advisoryLockKey, logNames } from '../../src/db/log-names.ts'
import { leaderLockKey } from '../../src/sequencer/leader-lock.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { inBackground } from '../sequencer/background.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const database = useDatabase()
const names = logNames()

function startSession(pollIntervalMs = 20) {
  const { connectionString } = database
  const session = new LogSession({ connectionString, names, logger: silentLogger, pollIntervalMs })
  return { session, running: inBackground((signal) => session.run(signal)) }
}

/** Tells whether a promise has settled, whenever it is asked. */
function watch(promise: Promise<unknown>): () => boolean {
  let isSettled = false
  void promise.finally(() => {
    isSettled = true
  })
  return () => isSettled
}

/** Waits until a session has looked around a few times more. */
async function lookAFewTimes(): Promise<void> {
  const { session, running } = startSession(5)
  for (let look = 0; look < 3; look += 1) {
    await session.untilLooked(new AbortController().signal)
  }
  await running.stop()
}

test('is told that nobody leads as soon as that is so, and not before', async () => {
  const leader = await database.client()
  await leader.query('select pg_advisory_lock($1)', [leaderLockKey(names.schema)])
  const { session, running } = startSession()
  const aborted = new AbortController()
  const isLeaderless = watch(session.untilLeaderless(new AbortController().signal))
  const isOver = watch(session.untilLeaderless(aborted.signal))
  await lookAFewTimes()
  expect(isLeaderless()).toBe(false)
  aborted.abort()
  await until('what was aborted to end', isOver)
  await leader.query('select pg_advisory_unlock_all()')
  await until('nobody to lead', isLeaderless)
  await running.stop()
})

test('is told that a version of a projection was made, has changed or is gone', async () => {
  const { session, running } = startSession()
  const signal = new AbortController().signal
  await session.untilVersionsDiffer(undefined, signal)
  for (const change of [
    `insert into tidemark.projections (name, version, state, schema_name, view_schema, definition_hash)
     values ('p', 1, 'building', 'p_v1', 'p', '\\x00')`,
    "update tidemark.projections set state = 'ready', changed_at = clock_timestamp()",
    'delete from tidemark.projections',
  ]) {
    const isTold = watch(session.untilVersionsDiffer(session.versions, signal))
    await lookAFewTimes()
    expect(isTold(), change).toBe(false)
    await database.pool.query(change)
    await until('the change to be told', isTold)
  }
  await running.stop()
})

test('claims again what is lost with its session before anybody was told of it', async () => {
  const other = await database.client()
  const followers = advisoryLockKey(names.schema, 'followers:projection:p:1').toString()
  await other.query('select pg_advisory_lock($1)', [followers])
  const { session, running } = startSession()
  const signal = new AbortController().signal
  const lease = session.hold(4711n, signal)
  const isHeld = watch(lease)
  // In the same look, after the other: it stands still here, with a lock that it has told nobody of.
  const id = { kind: 'projection', name: 'p', version: 1 } as const
  const partition = session.own(id, signal, { index: 0, count: 2 })
  const isOwned = watch(partition)
  const found = await until('the session to stand still', async () => {
    const { rows } = await database.pool.query<{ pid: number }>(/* sql */ `
      select w.pid
      from pg_locks as w
      join pg_locks as h on h.pid = w.pid and h.granted and h.locktype = 'advisory' and h.objid = 4711
      where w.locktype = 'advisory' and not w.granted`)
    return rows[0]
  })
  expect(isHeld()).toBe(false)
  await database.pool.query('select pg_terminate_backend($1)', [found.pid])
  await other.query('select pg_advisory_unlock_all()')
  await until('both to be claimed by the next session', () => isHeld() && isOwned())
  expect((await lease)?.lost.aborted).toBe(false)
  await Promise.all([lease, partition].map(async (one) => (await one)?.release()))
  await running.stop()
})
