import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerAccount } from './server-account.ts'

export interface PostgresProcessOptions {
  readonly postgres: string
  readonly dataDirectory: string
  readonly logFile: string
  readonly account: ServerAccount
  readonly settings: Readonly<Record<string, string>>
  readonly startTimeoutMs: number
}

/**
 * Starts a server on an existing data directory and waits until it accepts connections. The
 * server does not keep the event loop alive, and leads a process group of its own: Ctrl-C in the
 * terminal reaches the program, which then still has a database to drain into.
 *
 * @throws Error with the end of the log, when the server ends or is not ready in time. No process
 *   is left then.
 */
export async function startPostgresProcess(options: PostgresProcessOptions): Promise<ChildProcess> {
  const child = await spawnServer(options)
  const deadline = Date.now() + options.startTimeoutMs
  while (!(await isReady(options.dataDirectory, child.pid))) {
    if (hasExited(child)) throw await startFailure(options, `ended with ${exitReason(child)}`)
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      throw await startFailure(options, `was not ready after ${options.startTimeoutMs} ms`)
    }
    await sleep(20)
  }
  child.unref()
  return child
}

/** Waits until a process has ended. @returns false when it still runs after `limitMs`. */
export async function exitsWithin(child: ChildProcess, limitMs: number): Promise<boolean> {
  if (hasExited(child)) return true
  child.ref()
  try {
    await once(child, 'exit', { signal: AbortSignal.timeout(limitMs) })
    return true
  } catch {
    return false
  } finally {
    child.unref()
  }
}

async function spawnServer(options: PostgresProcessOptions): Promise<ChildProcess> {
  const { dataDirectory, logFile, account, settings } = options
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = await open(logFile, 'a')
  try {
    const child = spawn(options.postgres, ['-D', dataDirectory, ...flags], {
      ...account,
      cwd: dataDirectory,
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', log.fd, log.fd],
      windowsHide: true,
    })
    await once(child, 'spawn')
    return child
  } finally {
    await log.close()
  }
}

/**
 * Reads the server's state where `pg_ctl --wait` does: line 8 of the lock file. Unlike a trial
 * connection it cannot mistake a stranger on the same port for this server.
 * @see https://doxygen.postgresql.org/pidfile_8h_source.html
 */
async function isReady(dataDirectory: string, pid: number | undefined): Promise<boolean> {
  const lockFile = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = lockFile.split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function exitReason(child: ChildProcess): string {
  return child.signalCode ?? `exit code ${child.exitCode}`
}

async function startFailure(options: PostgresProcessOptions, reason: string): Promise<Error> {
  const log = await readFile(options.logFile, 'utf8')
  const lastLines = log.trimEnd().split('\n').slice(-40).join('\n')
  return new Error(`the embedded PostgreSQL server ${reason}; its log says:\n${lastLines}`)
}
