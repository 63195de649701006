import pg from 'pg'
import { z } from 'zod'
import { createStore, event, runWorker } from '../../src/index.ts'
import { until } from '../support/until.ts'
import { untilStreaming } from './slots.ts'

/**
 * A config with one projection whose rows depend on the order and number of their events. The
 * environment decides its version, how long an event takes, on which one it throws and what then.
 */
export const sumsConfig = `
import { bigint, defineConfig, event, integer, projection, table } from 'tidemark'
import { z } from 'zod'

const { VERSION = '1', PAUSE_MS = '0', POISON, ON_ERROR = 'stop' } = process.env
const cell = new Int32Array(new SharedArrayBuffer(4))

const NumberAdded = event('number.added').v(1, z.object({ key: z.int(), value: z.int() }))

const sums = projection('sums', {
  version: Number(VERSION),
  events: [NumberAdded],
  onError: ON_ERROR,
  tables: { sum_list: table({ key: integer().primaryKey(), trail: bigint(), count: integer() }) },
}).fold('sum_list', {
  key: ({ data }) => ({ key: data.key }),
  on: {
    'number.added': (row, { data }) => {
      if (PAUSE_MS !== '0') Atomics.wait(cell, 0, 0, Number(PAUSE_MS))
      if (String(data.value) === POISON) throw new Error('cannot add\\n  ' + POISON)
      const trail = ((row?.trail ?? 0n) * 31n + BigInt(data.value)) % 1_000_003n
      return { trail, count: (row?.count ?? 0) + 1 }
    },
  },
})

export default defineConfig({ projections: [sums], worker: { batchSize: 50, pollIntervalMs: 200 } })
`

const NumberAdded = event('number.added').v(1, z.object({ key: z.int(), value: z.int() }))

export interface SumRow {
  readonly key: number
  readonly trail: string
  readonly count: number
}

/** Appends the numbers from 1, each to one of seven keys, and waits until all have positions. */
export async function appendNumbers(connectionString: string, count: number): Promise<void> {
  await using store = await createStore({ connectionString, events: [NumberAdded] })
  const { position: before } = await store.status()
  for (let value = 1; value <= count; value += 1) {
    await store.append('numbers-1', NumberAdded({ key: value % 7, value }))
  }
  const pool = new pg.Pool({ connectionString, max: 1 })
  const stop = new AbortController()
  const worker = runWorker({ connectionString }, stop.signal)
  try {
    await until('every event to have a position', async (saw) => {
      const { position } = await store.status()
      saw(position)
      return position === before + BigInt(count)
    })
    await untilStreaming(pool)
  } finally {
    stop.abort()
    await worker
    await pool.end()
  }
}

/** Folds the same numbers without any database. */
export function foldNumbers(count: number): SumRow[] {
  const rows = new Map<number, { trail: bigint; count: number }>()
  for (let value = 1; value <= count; value += 1) {
    const row = rows.get(value % 7) ?? { trail: 0n, count: 0 }
    const trail = (row.trail * 31n + BigInt(value)) % 1_000_003n
    rows.set(value % 7, { trail, count: row.count + 1 })
  }
  return [...rows]
    .map(([key, row]) => ({ key, trail: row.trail.toString(), count: row.count }))
    .sort((a, b) => a.key - b.key)
}

/** Reads the table of one version, or of the live one. */
export async function readSums(pool: pg.Pool, schema: string): Promise<SumRow[]> {
  const { rows } = await pool.query<SumRow>(
    `select key, trail::text, count from ${pg.escapeIdentifier(schema)}.sum_list order by key`,
  )
  return rows
}
