import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CuttableProxy, startCuttableProxy } from '../support/cuttable-proxy.ts'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { type Background, inBackground } from './background.ts'
import {
  append,
  dropLogSlots,
  findFaults,
  type LedgerRow,
  readLedger,
  untilStreaming,
} from './ledger.ts'
import { type SequencerProcess, spawnSequencer } from './spawn-sequencer.ts'

/** A sequencer, and the network between it and the server. */
interface Worker extends SequencerProcess {
  readonly network: CuttableProxy
}

const database = useDatabase()
const rounds = 3
/** The server ends a session that is silent for five seconds; standbys ask each second. */
const limitMs = 10_000
const workers: Worker[] = []

beforeAll(async () => {
  for (let i = 0; i < 3; i += 1) await startWorker()
  await untilStreaming(database.pool)
})

afterAll(async () => {
  for (const worker of workers.splice(0)) await endWorker(worker)
  await dropLogSlots(database.connectionString)
})

async function startWorker(): Promise<void> {
  const network = await startCuttableProxy(database.connectionString)
  workers.push(Object.assign(spawnSequencer(network.connectionString), { network }))
}

async function endWorker(worker: Worker): Promise<void> {
  await worker.end('SIGKILL')
  await worker.network[Symbol.asyncDispose]()
}

/** @param former The one that lost its lead, and may not know. */
function untilOneLeads(former?: Worker): Promise<Worker> {
  return until('one to lead', (saw) => {
    saw(workers.map(({ leads, said }) => ({ leads, said })))
    return workers.find((worker) => worker !== former && worker.leads)
  })
}

function keepAppending(): Background {
  return inBackground(async (signal) => {
    for (let i = 0; !signal.aborted; i += 1) {
      await append(database.pool, `written-${i % 3}`, 1 + (i % 2))
      await pause(20)
    }
  })
}

async function readGeneration(): Promise<bigint> {
  const { rows } = await database.pool.query('select generation::text from tidemark.sequencer')
  return BigInt(rows[0].generation)
}

/** Appends, and waits until that has its position. @returns how long it took. */
async function sequenceOne(): Promise<number> {
  const began = performance.now()
  const id = await append(database.pool, 'marker')
  await until(
    `the ledger to have ${id}`,
    async (saw) => {
      saw(workers.map(({ leads, said }) => ({ leads, said })))
      const { rows } = await database.pool.query(
        'select from tidemark.commits where transaction_id = $1',
        [id],
      )
      return rows.length > 0
    },
    { timeoutMs: limitMs },
  )
  return performance.now() - began
}

/** Loses the leader, and waits until another one leads. */
async function loseLeader(lose: (leader: Worker) => void) {
  const leader = await untilOneLeads()
  const before = await readLedger(database.pool)
  const generation = await readGeneration()
  lose(leader)
  const tookMs = await sequenceOne()
  await untilOneLeads(leader)
  expect(await readGeneration()).toBeGreaterThan(generation)
  return { leader, before, tookMs }
}

/** Positions that were seen are the same for ever, and each commit has one. */
async function expectExact(before: readonly LedgerRow[]): Promise<void> {
  await sequenceOne()
  expect((await readLedger(database.pool)).slice(0, before.length)).toEqual(before)
  expect(await findFaults(database.pool)).toEqual([])
}

function report(what: string, timesMs: readonly number[]): void {
  const sorted = timesMs.toSorted((a, b) => a - b).map(Math.round)
  console.log(`${what}: ${sorted.join(', ')} ms to the next ledger row`)
}

test('a leader that is killed is replaced within seconds', async () => {
  const timesMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const writing = keepAppending()
    const { leader, before, tookMs } = await loseLeader((found) => found.signal('SIGKILL'))
    timesMs.push(tookMs)
    await writing.stop()
    await expectExact(before)

    workers.splice(workers.indexOf(leader), 1)
    await endWorker(leader)
    await startWorker()
  }
  report('killed', timesMs)
})

test('a leader that is stopped is replaced, and writes nothing when it wakes up', async () => {
  const timesMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const writing = keepAppending()
    const { leader, before, tookMs } = await loseLeader((found) => found.signal('SIGSTOP'))
    timesMs.push(tookMs)
    // It believes that it leads, and has commits in its hands that the other one has written.
    expect(leader.leads).toBe(true)
    leader.signal('SIGCONT')
    await until('the former leader to stand by', () => !leader.leads)
    await writing.stop()
    await expectExact(before)
  }
  report('stopped', timesMs)
})

test('a leader that is cut off is replaced, and writes nothing when it is back', async () => {
  const timesMs: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const writing = keepAppending()
    const { leader, before, tookMs } = await loseLeader(({ network }) => network.cut())
    timesMs.push(tookMs)
    expect(leader.leads).toBe(true)
    leader.network.heal()
    await until('the former leader to stand by', () => !leader.leads)
    await writing.stop()
    await expectExact(before)
  }
  report('cut off', timesMs)
})
