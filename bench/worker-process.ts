import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { withCompileCache } from './compile-cache.ts'

/** What a worker is to run. */
export interface WorkerOrder {
  readonly connectionString: string
  /** Keys of the projection that it follows; null to sequence only. */
  readonly keys: number | null
  /** Of many small projections the first so many. Default none. */
  readonly projections?: number
  /** Reactors of credits, by name, each from the start; nobody runs their jobs. Default none. */
  readonly reactors?: readonly string[]
  /** Whether it runs their jobs, and tells when each starts. */
  readonly runsJobs?: boolean
}

/** What it tells of a job that starts. */
export interface JobStart {
  readonly eventId: string
  /** By the machine's clock. */
  readonly atMs: number
}

export interface WorkerProcess extends AsyncDisposable {
  /** Most memory that it had so far, in bytes. */
  peakMemory(): Promise<number>
  /** Ends it as a crash would. */
  kill(): Promise<void>
}

const limits = { stopMs: 10_000 }

/**
 * Starts a worker in a process of its own and waits until it is ready. Its disposal stops it. It
 * also stops by itself when this process ends.
 */
export async function startWorkerProcess(
  order: WorkerOrder,
  signal: AbortSignal,
  onJob: (eventId: string, atMs: number) => void = () => {},
): Promise<WorkerProcess> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), { env: withCompileCache })
  child.on('message', (message: Partial<JobStart> | string | number) => {
    if (typeof message === 'object') onJob(message.eventId ?? '', message.atMs ?? 0)
  })
  try {
    child.send(order)
    await untilReady(child, signal)
  } catch (error) {
    await stop(child)
    throw error
  }
  return {
    peakMemory: () => askPeakMemory(child),
    kill: () => kill(child),
    [Symbol.asyncDispose]: () => stop(child),
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function askPeakMemory(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message')
  child.send('memory')
  const [kibibytes] = await answer
  return Number(kibibytes) * 1_024
}

async function untilReady(child: ChildProcess, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const options = { signal: AbortSignal.any([signal, over.signal]) }
  const exited = once(child, 'exit', options).then(([code]) => {
    throw new Error(`the worker ended with exit code ${code} before it was ready`)
  })
  try {
    await Promise.race([once(child, 'message', options), exited])
  } finally {
    over.abort()
    exited.catch(() => {})
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  const killing = setTimeout(() => child.kill('SIGKILL'), limits.stopMs)
  await exited
  clearTimeout(killing)
}
