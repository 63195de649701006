/**
 * A program: `node run-watchdog.ts <prefix>`, with the server in `TIDEMARK_TEST_DATABASE_URL`. It
 * waits until its standard input closes, then drops what is left of the run. Vitest leaves without
 * its teardown on SIGINT and SIGTERM, and nobody else would drop databases and slots on a server
 * that goes on running.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dropRunDatabases } from './run-databases.ts'

/** Starts the program; closing its input, or ending this process, makes it drop the databases. */
export async function startRunWatchdog(serverUrl: string, prefix: string): Promise<ChildProcess> {
  const watchdog = spawn(process.execPath, [import.meta.filename, prefix], {
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '', TIDEMARK_TEST_DATABASE_URL: serverUrl },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  await once(watchdog, 'spawn')
  watchdog.unref()
  return watchdog
}

if (import.meta.main) {
  const [, , prefix] = process.argv
  const serverUrl = process.env.TIDEMARK_TEST_DATABASE_URL
  if (!prefix || !serverUrl) throw new Error('usage: run-watchdog <prefix>')
  process.stdin.resume()
  await once(process.stdin, 'close')
  await dropRunDatabases(serverUrl, prefix)
}
