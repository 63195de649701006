import type pg from 'pg'
import { checkInline } from './check-inline.ts'
import { checkJobs, type KnownReactor } from './check-jobs.ts'
import { checkJournal, type KnownTransaction } from './check-journal.ts'
import { LogChecker } from './check-log.ts'
import { checkOutbox } from './check-outbox.ts'
import { checkNoneParked } from './check-parked.ts'
import { checkProjections } from './check-projections.ts'
import { type Fault, FaultList } from './fault-list.ts'
import { FoldedLog } from './fold-log.ts'
import { readCommits } from './read-log.ts'

const pageSize = 2_000

/** What is known beside the database. */
export interface Known {
  /** What the writers know of their transactions, if they kept a journal. */
  readonly transactions?: readonly KnownTransaction[]
  /** Reactors that were added to the one that is always there. */
  readonly reactors?: readonly KnownReactor[]
  /** Ids of the messages that came to the broker, if there is one. */
  readonly arrived?: ReadonlySet<string> | undefined
}

/** Reads the log from its beginning. */
const always: KnownReactor = { name: 'large-deposits', earliest: 0n, latest: 0n }

/**
 * Checks everything that must hold of a log, and of what was made from it, once all is sequenced and
 * applied. Plain SQL and plain folds: shares no code with the product.
 */
export async function checkDatabase(
  pool: pg.Pool,
  faults: FaultList,
  { transactions, reactors = [], arrived }: Known = {},
): Promise<void> {
  const log = new LogChecker(faults)
  const fold = new FoldedLog()
  for (;;) {
    const commits = await readCommits(pool, log.last, pageSize)
    if (commits.length === 0) break
    for (const commit of commits) {
      log.take(commit)
      const before = commit.position - BigInt(commit.eventCount)
      for (const [index, event] of commit.events.entries()) {
        fold.take(event, before + BigInt(index) + 1n)
      }
    }
  }
  await checkUnsequenced(pool, faults)
  if (transactions !== undefined) checkJournal(transactions, log, faults)
  await checkProjections(pool, fold, faults)
  await checkInline(pool, faults)
  await checkNoneParked(pool, faults)
  if (arrived !== undefined) await checkOutbox(pool, arrived, faults)
  checkJobs(await readJobs(pool), fold.jobs, [always, ...reactors], faults)
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

/** The payload of a job says which reactor asked for it, but for those of the one that is always there. */
async function readJobs(pool: pg.Pool): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await pool.query<{ reactor: string; events: readonly string[] }>(
    /* sql */ `
    select coalesce(payload ->> 'reactor', $1) as reactor, array_agg(payload ->> 'event') as events
    from graphile_worker._private_jobs
    group by 1`,
    [always.name],
  )
  return new Map(rows.map(({ reactor, events }) => [reactor, events]))
}
