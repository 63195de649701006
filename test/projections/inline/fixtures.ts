import pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import { createStore, runWorker } from '../../../src/index.ts'
import type { AnyProjection } from '../../../src/projections/projection.ts'
import type { SequencerMode } from '../../../src/sequencer/term-settings.ts'
import type { StoreOptions } from '../../../src/worker/create-store.ts'
import { inBackground } from '../../sequencer/background.ts'
import { captureLog } from '../../sequencer/captured-log.ts'
import type { TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { Added, Removed } from '../levels.ts'

/** Opens a store that can apply the given versions inline. */
export async function openStore(
  { connectionString }: Pick<TestDatabase, 'connectionString'>,
  inline: readonly AnyProjection[],
  options: Partial<StoreOptions> = {},
) {
  const store = await createStore({
    connectionString,
    events: [Added, Removed],
    ...options,
    inline,
  })
  onTestFinished(() => store.close())
  return store
}

export function startWorker(
  { connectionString }: Pick<TestDatabase, 'connectionString'>,
  projections: readonly AnyProjection[],
  mode: SequencerMode = 'poll',
) {
  const log = captureLog()
  const background = inBackground((signal) =>
    runWorker({ connectionString, projections, mode, pollIntervalMs: 50, logger: log }, signal),
  )
  onTestFinished(() => background.stop().catch(() => {}))
  return { ...background, log }
}

/** A connection with a transaction of its own, as an application's. */
export async function begin(
  { connectionString }: Pick<TestDatabase, 'connectionString'>,
  isolation = 'read committed',
): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(`begin isolation level ${isolation}`)
  return client
}

export interface Sum {
  readonly key: string
  readonly sum: string
  readonly entries: number
  readonly trail: string
}

/** The rows of a version. */
export async function rowsOf(pool: pg.Pool, schema: string): Promise<readonly Sum[]> {
  const { rows } = await pool.query<Sum>(
    `select key, sum::text, entries, trail from ${schema}.sums order by key`,
  )
  return rows
}

/** Folds the log in memory, in the order of positions. */
export async function foldLog(pool: pg.Pool): Promise<readonly Sum[]> {
  const { rows } = await pool.query<{ type: string; key: string; amount: number }>(
    `select type, data ->> 'key' as key, (data ->> 'amount')::integer as amount
     from tidemark.log
     where type in ('added', 'removed')
     order by position`,
  )
  const sums = new Map<string, { sum: bigint; entries: number; trail: string }>()
  for (const { type, key, amount } of rows) {
    const signed = type === 'added' ? amount : -amount
    const { sum, entries, trail } = sums.get(key) ?? { sum: 0n, entries: 0, trail: '' }
    sums.set(key, {
      sum: sum + BigInt(signed),
      entries: entries + 1,
      trail: `${trail},${signed}`,
    })
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, row]) => ({ key, ...row, sum: `${row.sum}` }))
}

/** Waits until every event has a position. */
export async function untilSequenced(pool: pg.Pool): Promise<void> {
  await until(
    'all events to have positions',
    async (saw) => {
      const { rows } = await pool.query<{ events: string; head: string }>(
        `select (select count(*)::text from tidemark.events) as events, position::text as head
         from tidemark.sequencer`,
      )
      saw(rows)
      return rows[0]?.events === rows[0]?.head
    },
    { timeoutMs: 20_000 },
  )
}

/** Rows of a version that are those of a fold over the log. */
export async function expectExact(pool: pg.Pool, schema: string): Promise<void> {
  await untilSequenced(pool)
  expect(await rowsOf(pool, schema)).toEqual(await foldLog(pool))
}
