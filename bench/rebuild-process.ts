/**
 * A program that the benchmarks start: rebuilds one version of a projection in a process of its own, and
 * tells how long that took and the most memory that it needed. It is told what to build by its one
 * message.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { keepHeapSmall } from '../src/cli/keep-heap-small.ts'
import { createStore } from '../src/index.ts'
import { balances } from './accounts.ts'
import { withCompileCache } from './compile-cache.ts'

interface RebuildOrder {
  readonly connectionString: string
  readonly keys: number
  readonly version: number
  /** What an event costs besides: see {@link balances}. */
  readonly rounds?: number
}

/** What a rebuild took. */
export interface RebuildCost {
  readonly durationMs: number
  /** Most memory of its process, in bytes. */
  readonly peakMemory: number
}

/** Rebuilds a version of the benchmarks' fold in a process of its own, which ends with it. */
export async function rebuildInProcess(
  order: RebuildOrder,
  signal: AbortSignal,
): Promise<RebuildCost> {
  const child = fork(import.meta.filename, { env: withCompileCache })
  try {
    child.send(order)
    return await answerOf(child, signal)
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL')
  }
}

async function answerOf(child: ChildProcess, signal: AbortSignal): Promise<RebuildCost> {
  const over = new AbortController()
  const options = { signal: AbortSignal.any([signal, over.signal]) }
  const exited = once(child, 'exit', options).then(([code]) => {
    throw new Error(`the rebuild ended with exit code ${code}`)
  })
  try {
    const [cost] = await Promise.race([once(child, 'message', options), exited])
    return cost as RebuildCost
  } finally {
    over.abort()
    exited.catch(() => {})
  }
}

async function rebuild({ connectionString, keys, version, rounds }: RebuildOrder): Promise<void> {
  await using store = await createStore({ connectionString })
  const { durationMs } = await store.rebuild(balances(keys, version, rounds))
  process.send?.({ durationMs, peakMemory: process.resourceUsage().maxRSS * 1_024 })
}

if (process.argv[1] === import.meta.filename) {
  // As the command line does.
  keepHeapSmall()
  process.once('message', (order: RebuildOrder) => {
    rebuild(order).then(
      () => process.disconnect?.(),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
}
