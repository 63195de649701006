import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { queryOnce } from '../support/query-once.ts'

export interface ExampleRun {
  readonly code: number | null
  /** All that it printed. */
  readonly output: string
}

export interface ExampleProcess {
  readonly ended: Promise<ExampleRun>
  /** What it has printed so far. */
  readonly output: () => string
  readonly kill: (signal: NodeJS.Signals) => void
}

/** Starts an example on the server of the tests, as `npm run example:…` does. */
export function startExample(
  name: 'bank' | 'orders',
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ExampleProcess {
  const program = fileURLToPath(new URL(`../../examples/${name}/main.ts`, import.meta.url))
  const child = spawn(process.execPath, [program, ...args], {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      DATABASE_URL: inject('postgres').connectionString,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const hear = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }))
  return { ended, output: () => output, kill: (signal) => child.kill(signal) }
}

/** Runs an example to its end. */
export async function runExample(
  name: 'bank' | 'orders',
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ExampleRun> {
  return startExample(name, args, env).ended
}

/** Lists what an example has left on the server: databases, replication slots, sessions. */
export async function listLeftovers(name: 'bank' | 'orders'): Promise<readonly string[]> {
  const rows = await queryOnce<{ name: string }>(
    inject('postgres').connectionString,
    /* sql */ `
      select datname::text as name from pg_database where datname like 'tidemark_${name}_%'
      union all
      select slot_name::text from pg_replication_slots where database like 'tidemark_${name}_%'`,
  )
  return rows.map((row) => row.name)
}
