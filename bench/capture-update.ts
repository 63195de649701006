import pg from 'pg'
import { createStore } from '../src/index.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { closedLoop } from './closed-loop.ts'
import { compare } from './trial.ts'

/** Rows of the table. */
const rowCount = 10_000

/** Rows that the statement of `capture/bulk` changes. */
const bulkRows = 1_000

interface Question {
  readonly name: string
  readonly writers: number
  /** Rows that one statement changes. */
  readonly perCall: number
  readonly text: (table: string) => string
  readonly values: (call: number) => readonly unknown[]
}

const update = (table: string) => `
  update ${table}
  set status = $2, total_cents = total_cents + 1, updated_at = now()
  where id = $1`

// Keys that are far apart one after the other, so that writers do not meet.
const updateValues = (call: number) => [1 + ((call * 7_919) % rowCount), `status ${call}`]

const questions: readonly Question[] = [
  { name: 'capture/update', writers: 1, perCall: 1, text: update, values: updateValues },
  { name: 'capture/update-8', writers: 8, perCall: 1, text: update, values: updateValues },
  {
    name: 'capture/insert',
    writers: 1,
    perCall: 1,
    text: (table) => `
      insert into ${table} (customer_id, status, total_cents, note)
      values ($1, 'new', $1, 'a note on it')`,
    values: (call) => [call],
  },
  {
    name: 'capture/bulk',
    writers: 1,
    perCall: bulkRows,
    text: (table) => `
      update ${table}
      set total_cents = total_cents + 1, updated_at = now()
      where id <= $1`,
    values: () => [bulkRows],
  },
]

/** What the triggers of a captured table cost whoever changes it, beside the same table without. */
export const captureBenchmarks: readonly Benchmark[] = questions.map((question) => ({
  names: [question.name],
  run: async (settings) => [await measure(settings, question)],
}))

async function measure(settings: BenchSettings, question: Question): Promise<Measurement> {
  const { name, writers, perCall, text, values } = question
  await using database = await createBenchDatabase(settings.serverUrl)
  for (const table of ['plain', 'captured']) await createTable(database, table)
  await using store = await createStore({ connectionString: database.connectionString })
  await store.captures.install('public.captured', { as: 'order' })
  const pool = new pg.Pool({ connectionString: database.connectionString, max: writers })
  let calls = 0
  const run = async (table: string) => {
    await database.execute(`vacuum analyze ${table}`)
    await database.settle()
    const call = async () => {
      calls += 1
      await pool.query({ name: table, text: text(table), values: [...values(calls)] })
    }
    return closedLoop(settings, { writers, perCall, call })
  }
  const compared = await compare(settings, {
    name,
    base: () => run('plain'),
    ours: () => run('captured'),
  })
  await pool.end()
  return {
    ...emptyMeasurement,
    name,
    ...compared,
    unit: 'rows/s',
    against: `the same table without, ${writers} writer${writers === 1 ? '' : 's'}`,
    timesOf: 'a statement',
  }
}

async function createTable(database: BenchDatabase, table: string): Promise<void> {
  await database.execute(/* sql */ `
    create table ${table} (
      id bigint generated always as identity primary key,
      customer_id bigint not null,
      status text not null,
      total_cents bigint not null,
      note text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    insert into ${table} (customer_id, status, total_cents, note)
    select g % 100, 'new', g, 'a note on it'
    from generate_series(1, ${rowCount}) as g`)
}
