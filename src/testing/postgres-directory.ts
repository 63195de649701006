import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { exitsWithin } from './postgres-process.ts'
import type { ServerAccount } from './server-account.ts'

/** A temporary directory for one server, and the process that removes it when we cannot. */
export interface PostgresDirectory {
  readonly path: string
  readonly data: string
  readonly logFile: string
  readonly watchdog: ChildProcess
}

/** Makes an empty directory that goes away with this program, however the program ends. */
export async function createPostgresDirectory(account: ServerAccount): Promise<PostgresDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'tidemark-postgres-'))
  const watchdog = await startWatchdog(path)
  await giveTo(account, path)
  return { path, data: join(path, 'data'), logFile: join(path, 'server.log'), watchdog }
}

/** Removes the directory of a server that has ended, and the watchdog over it. */
export async function removePostgresDirectory(directory: PostgresDirectory): Promise<void> {
  await rm(directory.path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  directory.watchdog.stdin?.destroy()
  await exitsWithin(directory.watchdog, 10_000)
}

/**
 * Runs `initdb`, with the same encoding and order on every machine.
 *
 * @throws Error with the output of `initdb`.
 */
export async function initializeCluster(
  directory: PostgresDirectory,
  options: {
    readonly initdb: string
    readonly account: ServerAccount
    readonly password: string
  },
): Promise<void> {
  const { initdb, account, password } = options
  const passwordFile = join(directory.path, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await giveTo(account, passwordFile)
  const flags = [
    `--pgdata=${directory.data}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync', // the directory never outlives a crash of the machine
  ]
  const environment = { ...process.env, LC_ALL: 'C' }
  await promisify(execFile)(initdb, flags, {
    ...account,
    cwd: directory.path,
    env: environment,
  }).catch(explainPrivatePath(initdb))
  await rm(passwordFile)
}

/** Root can read what the account that the server has to run as cannot. */
function explainPrivatePath(initdb: string) {
  return (error: NodeJS.ErrnoException): never => {
    if (error.code !== 'EACCES') throw error
    throw new Error(
      `"${initdb}" cannot be run by the account "postgres" or "nobody", because a directory above ` +
        'it is private: run as another user than root, or move the project',
      { cause: error },
    )
  }
}

async function giveTo({ uid, gid }: ServerAccount, path: string): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

async function startWatchdog(path: string): Promise<ChildProcess> {
  // This file is .ts in the source and .js in the published package, and so is its neighbour.
  const program = join(import.meta.dirname, `postgres-watchdog${extname(import.meta.filename)}`)
  const watchdog = spawn(process.execPath, [program, path], {
    cwd: tmpdir(),
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
  })
  await once(watchdog, 'spawn')
  watchdog.unref()
  return watchdog
}
