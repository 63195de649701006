import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import { liftTimeLimits } from '../../src/db/session/time-limits.ts'
import { pause } from '../../src/db/wait.ts'
import { acquireLeaderLock } from '../../src/sequencer/leader-lock.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { startPooler } from '../worker/pooler/start-pooler.ts'
import { inBackground } from './background.ts'
import { captureLog } from './captured-log.ts'
import { append, dropLogSlots, findFaults, untilSequenced } from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'

const database = useDatabase()
let network: CuttableProxy

beforeEach(async () => {
  network = await startCuttableProxy(database.connectionString)
})

afterEach(() => network[Symbol.asyncDispose]())

afterAll(() => dropLogSlots(database.connectionString))

/** Process ids of the sessions under a name. */
async function sessionsOf(application: string): Promise<number[]> {
  const { rows } = await database.pool.query<{ pid: number }>(
    /* sql */ `
    select pid
    from pg_stat_activity
    where datname = current_database() and application_name = $1
    order by pid`,
    [application],
  )
  return rows.map(({ pid }) => pid)
}

/** Lets several times a limit go by, within which something must not happen. */
async function pass(ms: number): Promise<void> {
  const began = performance.now()
  await until(`${ms} ms to pass`, () => performance.now() - began > ms)
}

test.for(['wal', 'poll'] as const)(
  'a leader in mode "%s" whose connections pass nothing any more leads again on new ones',
  async (mode) => {
    const { connectionString } = network
    await using sequencer = startSequencer({ connectionString, mode, leaderSilenceMs: 1_000 })
    await sequencer.untilLeading()
    await untilSequenced(database.pool, await append(database.pool, 'before'))
    const before = sequencer.roles.length
    network.cutOpen()
    await untilSequenced(database.pool, await append(database.pool, 'after'), { timeoutMs: 15_000 })
    await sequencer.untilLeading()
    expect(sequencer.roles.slice(before)).toContain('standby')
    expect(await findFaults(database.pool)).toEqual([])
  },
)

test('a leader that has nothing to write keeps its lead', async () => {
  const { connectionString } = database
  await using sequencer = startSequencer({ connectionString, leaderSilenceMs: 2_000 })
  await sequencer.untilLeading()
  const before = await sessionsOf('tidemark sequencer')
  await pass(5_000)
  expect(await sessionsOf('tidemark sequencer')).toEqual(before)
  expect(sequencer.log.at('warn')).toEqual([])
})

describe('time limits of the database', () => {
  beforeEach(async () => {
    for (const limit of limits) await alterDatabase(`set ${limit} = '300ms'`)
  })

  afterEach(async () => {
    for (const limit of limits) await alterDatabase(`reset ${limit}`)
  })

  const limits = [
    'statement_timeout',
    'lock_timeout',
    'idle_session_timeout',
    'idle_in_transaction_session_timeout',
  ]

  async function alterDatabase(change: string): Promise<void> {
    await database.pool.query(`alter database ${database.name} ${change}`)
  }

  test('end neither a leader, be it idle or held up, nor a standby', async () => {
    const untilLeaderless = (ended: AbortSignal) => pause(60_000, ended)
    const options = { connectionString: database.connectionString, untilLeaderless }
    await using leader = startSequencer(options)
    await leader.untilLeading()
    await using standby = startSequencer(options)
    const sessions = await until('both to have their sessions', async () => {
      const found = await sessionsOf('tidemark sequencer')
      return found.length === 2 && found
    })
    const blocker = await database.client({ options: '-c idle_in_transaction_session_timeout=0' })
    await blocker.query('begin; lock table tidemark.commits in exclusive mode')
    const id = await append(database.pool, 'held-up')
    await pass(1_500)
    await blocker.query('rollback')
    await untilSequenced(database.pool, id)
    expect(await sessionsOf('tidemark sequencer')).toEqual(sessions)
    expect([...leader.log.at('warn'), ...standby.log.at('warn')]).toEqual([])
  })

  test('do not end the session of a worker', async () => {
    const { connectionString } = database
    const log = captureLog()
    const options = { connectionString, names: logNames(), logger: log, pollIntervalMs: 60_000 }
    const session = new LogSession(options)
    await using _session = inBackground((signal) => session.run(signal))
    const before = await until('the session', async () => {
      const found = await sessionsOf('tidemark session')
      return found.length === 1 && found
    })
    await pass(1_500)
    expect(await sessionsOf('tidemark session')).toEqual(before)
    expect(log.lines).toEqual([])
  })
})

test('a session that a pooler gives to others keeps its time limits', async () => {
  await using pooler = await startPooler(database.connectionString, 'transaction')
  const { connectionString } = pooler
  const client = await connect({ connectionString, pipeline: false })
  const readLimits = async () => {
    const { rows } = await client.query(
      "select name, setting from pg_settings where name ~ '_timeout$' order by name",
    )
    return rows
  }
  const before = await readLimits()
  await liftTimeLimits(client, 1_000)
  const leads = await acquireLeaderLock(client, {
    schema: 'tidemark',
    silenceMs: 1_000,
    rest: async () => {},
    onStandby: () => {},
    signal: new AbortController().signal,
  })
  expect(leads).toBe(true)
  expect(await readLimits()).toEqual(before)
  await client.end()
})
