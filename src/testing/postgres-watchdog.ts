/**
 * A program: `node postgres-watchdog.ts <directory>`. It waits until its standard input closes,
 * which the operating system does when the program that started it is gone, however it ended
 * (SIGKILL too). Then it ends the server in `<directory>/data`, if one still runs, and removes the
 * directory. After an orderly stop the directory is gone already and nothing is left to do.
 */
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const serverStopMs = 10_000

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: postgres-watchdog <directory>')

await inputClosed()
// Looks again after each round: the program can die while it runs initdb or starts the server,
// and those write on for a moment.
while (existsSync(directory)) {
  await endServer(directory)
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }).catch(
    () => undefined,
  )
  await sleep(500)
}

async function inputClosed(): Promise<void> {
  try {
    for await (const _ of process.stdin) {
      // Nothing is ever sent.
    }
  } catch {
    // A broken pipe tells the same as a closed one.
  }
}

async function endServer(directory: string): Promise<void> {
  const pid = findServer(directory)
  if (pid === undefined) return
  signal(pid, 'SIGQUIT')
  const deadline = Date.now() + serverStopMs
  while (findServer(directory) === pid) {
    if (Date.now() > deadline) return signal(pid, 'SIGKILL')
    await sleep(50)
  }
}

/** Reads the server's process id from its lock file, and checks that the process is that server. */
function findServer(directory: string): number | undefined {
  try {
    const lockFile = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8')
    const pid = Number.parseInt(lockFile, 10)
    return pid > 0 && isServerOf(pid, directory) ? pid : undefined
  } catch {
    return undefined
  }
}

/** The id in a lock file that a crash left behind can belong to a stranger by now. */
function isServerOf(pid: number, directory: string): boolean {
  if (process.platform !== 'linux') return true
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}
