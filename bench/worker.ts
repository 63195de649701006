/**
 * A program that the benchmarks start: a worker in a process of its own. It is told what to run by
 * its first message, says `ready` when it sequences and follows its projection, answers every other
 * message with the most memory that it had so far, in KiB, and stops when the channel to its parent
 * closes, however that ends.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { keepHeapSmall } from '../src/cli/keep-heap-small.ts'
import { createStore, runWorker, type Store } from '../src/index.ts'
import { balances } from './accounts.ts'
import { creditReactors, noteCredit } from './credit-reactors.ts'
import { manyProjections } from './many-projections.ts'
import type { JobStart, WorkerOrder } from './worker-process.ts'

keepHeapSmall() // as the command line does
process.on('SIGINT', () => {}) // Ctrl-C reaches the whole group; the parent decides when we stop
const stop = new AbortController()
process.once('disconnect', () => stop.abort())
process.once('message', (order: WorkerOrder) => {
  run(order).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})

async function run(order: WorkerOrder): Promise<void> {
  const { connectionString, keys, projections: many = 0, reactors: names = [] } = order
  const projections = [...(keys === null ? [] : [balances(keys, 1)]), ...manyProjections(many)]
  const reactors = creditReactors(names, 'start')
  const tasks = order.runsJobs === true ? [noteCredit(tellStart)] : []
  const working = runWorker({ connectionString, projections, reactors, tasks }, stop.signal)
  await Promise.race([untilReady(connectionString, projections.length + names.length), working])
  process.on('message', () => process.send?.(process.resourceUsage().maxRSS))
  if (!stop.signal.aborted) process.send?.('ready')
  await working
}

function tellStart(eventId: string): void {
  const start: JobStart = { eventId, atMs: performance.timeOrigin + performance.now() }
  process.send?.(start)
}

async function untilReady(connectionString: string, projections: number): Promise<void> {
  await using store = await createStore({ connectionString, maxConnections: 1 })
  while (!stop.signal.aborted && !(await isReady(store, projections))) await sleep(20)
}

async function isReady(store: Store, projections: number): Promise<boolean> {
  const { slot, subscriptions } = await store.status()
  return slot?.isActive === true && subscriptions.length >= projections
}
