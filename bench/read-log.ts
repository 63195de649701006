import { connect } from '../src/db/connect.ts'
import { logNames } from '../src/db/log-names.ts'
import { type LogCursor, readRun } from '../src/subscriptions/read-run.ts'
import type { BenchDatabase } from './bench-database.ts'
import type { BenchSettings } from './benchmark.ts'
import type { Trial } from './trial.ts'

const pageSize = 5_000

/** Reads the whole log once, page by page in its order, and does nothing with it. */
export async function readWholeLog(
  settings: BenchSettings,
  database: BenchDatabase,
): Promise<Trial> {
  const { connectionString } = database
  const client = await connect({ connectionString, applicationName: 'bench read' })
  const names = logNames()
  try {
    const began = performance.now()
    let read = 0
    let after: LogCursor = { position: 0n, insertId: null }
    for (;;) {
      settings.signal.throwIfAborted()
      const run = await readRun(client, names, { after, maxEvents: pageSize, types: null })
      if (run.end.position === after.position) break
      read += run.events.length
      after = run.end
    }
    requireAll(settings, read)
    return { rate: (read * 1_000) / (performance.now() - began), p50Ms: null, p99Ms: null }
  } finally {
    await client.end()
  }
}

function requireAll({ events }: BenchSettings, read: number): void {
  if (read !== events) throw new Error(`read ${read} events of ${events}`)
}
