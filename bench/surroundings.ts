import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, cpus, release, totalmem, type } from 'node:os'
import { queryOnce } from '../test/support/query-once.ts'

/** Where the numbers come from. */
export interface Surroundings {
  readonly machine: {
    readonly cpu: string | null
    readonly cores: number
    readonly memoryBytes: number
    readonly os: string
  }
  readonly versions: {
    readonly node: string
    readonly postgres: string
    readonly tidemark: string
    readonly pg: string
  }
  /** Whether a commit is on disk when it is acknowledged. */
  readonly isDurable: boolean
}

/** Looks up the machine, what runs on it, and the server's durability. */
export async function readSurroundings(serverUrl: string): Promise<Surroundings> {
  const [server] = await queryOnce<{ version: string; durable: boolean }>(
    serverUrl,
    /* sql */ `
      select
        split_part(current_setting('server_version'), ' ', 1) as version,
        current_setting('fsync')::boolean and current_setting('synchronous_commit') <> 'off' as durable`,
  )
  const root = new URL('../package.json', import.meta.url)
  const pgPackage = createRequire(import.meta.url).resolve('pg/package.json')
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? null,
      cores: cpus().length,
      memoryBytes: totalmem(),
      os: `${type()} ${release()} ${arch()}`,
    },
    versions: {
      node: process.versions.node,
      postgres: server?.version ?? 'unknown',
      tidemark: await readVersion(root),
      pg: await readVersion(pgPackage),
    },
    isDurable: server?.durable === true,
  }
}

async function readVersion(packageFile: string | URL): Promise<string> {
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string }
  return version
}
