import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/testing/embedded-postgres.ts'

/**
 * Folder of a server's programs that has all of them, also those for dumps and upgrades, which come
 * without the embedded ones. Undefined where there is none.
 */
export const tools = await findTools()

async function findTools(): Promise<string | undefined> {
  for await (const file of glob('/usr/lib/postgresql/*/bin/pg_upgrade')) return dirname(file)
  return undefined
}

/** Path of one of the server's programs. */
export function tool(name: string): string {
  if (tools === undefined) throw new Error('there are no programs of a server')
  return join(tools, name)
}

/** Starts a server that these programs are for; it ends with the test. */
export async function startServerOfTools(): Promise<EmbeddedPostgres> {
  const binaries = { initdb: tool('initdb'), postgres: tool('postgres') }
  const server = await startEmbeddedPostgres({ binaries, durable: false })
  onTestFinished(() => server.stop())
  return server
}
