import type pg from 'pg'
import { checkJournal, type KnownTransaction } from './check-journal.ts'
import { LogChecker } from './check-log.ts'
import { type Fault, FaultList } from './fault-list.ts'
import { checkJobs, checkTable, FoldedLog } from './fold-log.ts'
import { readCommits } from './read-log.ts'

const pageSize = 2_000

/**
 * Checks everything that must hold of a log, and of what was made from it, once all is sequenced and
 * applied. Plain SQL and plain folds: shares no code with the product.
 *
 * @param known what the writers know of their transactions, if they kept a journal.
 */
export async function checkDatabase(
  pool: pg.Pool,
  faults: FaultList,
  known?: readonly KnownTransaction[],
): Promise<void> {
  const log = new LogChecker(faults)
  const fold = new FoldedLog()
  for (;;) {
    const commits = await readCommits(pool, log.last, pageSize)
    if (commits.length === 0) break
    for (const commit of commits) {
      log.take(commit)
      for (const event of commit.events) fold.take(event)
    }
  }
  await checkUnsequenced(pool, faults)
  if (known !== undefined) checkJournal(known, log, faults)
  await checkProjections(pool, fold, faults)
  checkJobs(await readJobs(pool), fold.jobs, faults)
}

/** What {@link checkDatabase} finds; empty when all is well. */
export async function findFaults(pool: pg.Pool): Promise<readonly Fault[]> {
  const faults = new FaultList()
  await checkDatabase(pool, faults)
  return faults.faults
}

async function checkUnsequenced(pool: pg.Pool, faults: FaultList): Promise<void> {
  const { rows } = await pool.query<{ name: string; events: number }>(/* sql */ `
    select incarnation || '.' || transaction_id as name, count(*)::integer as events
    from tidemark.events
    left join tidemark.commits using (incarnation, transaction_id)
    where position is null
    group by incarnation, transaction_id
    order by incarnation, transaction_id`)
  for (const { name, events } of rows) {
    faults.add('lost', `transaction ${name} has ${events} events without a position`)
  }
}

/** Checks the tables of each version that there is, and what the views show. */
async function checkProjections(pool: pg.Pool, fold: FoldedLog, faults: FaultList): Promise<void> {
  const { rows } = await pool.query<{ name: string; schema_name: string }>(
    'select name, schema_name from tidemark.projections order by name, version',
  )
  for (const { name, schema_name } of rows) {
    const table = name === 'accounts' ? 'balances' : 'lasts'
    for (const schema of new Set([schema_name, name])) {
      const found = await readTable(pool, schema, table)
      checkTable(`${schema}.${table}`, found, fold.rows(table), faults)
    }
  }
}

async function readTable(
  pool: pg.Pool,
  schema: string,
  table: 'balances' | 'lasts',
): Promise<ReadonlyMap<string, string>> {
  const value = table === 'balances' ? "balance || ' ' || entries" : 'trail'
  const { rows } = await pool.query<{ account: string; value: string }>(
    `select account, ${value} as value from ${schema}.${table}`,
  )
  return new Map(rows.map((row) => [row.account, row.value]))
}

async function readJobs(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ event: string }>(
    "select payload ->> 'event' as event from graphile_worker._private_jobs",
  )
  return rows.map(({ event }) => event)
}
