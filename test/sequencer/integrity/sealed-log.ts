import pg from 'pg'
import { createPool } from '../../../src/db/connect.ts'
import { logNames } from '../../../src/db/log-names.ts'
import { sealRun } from '../../../src/sequencer/integrity/seal-run.ts'
import { type VerifyOptions, verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { append, sequenceNow } from '../ledger.ts'

export const names = logNames()

/** A log of its own, for a test that damages it. */
export interface SealedLog extends AsyncDisposable {
  readonly pool: pg.Pool
  readonly database: TestDatabase
  /** Runs statements past the triggers, as an owner can who wants to. */
  tamper(statements: string): Promise<void>
  /** Seals all that is sequenced. @returns the position of the last seal. */
  seal(maxEvents?: number): Promise<bigint>
  /** What is wrong, as `kind position`. */
  faults(options?: VerifyOptions): Promise<string[]>
}

/**
 * Makes a log of some commits, sequenced and sealed: events at positions 1 to 4, 5 to 7, 8, 9 and 10
 * to 12, sealed in runs of 5.
 */
export async function createSealedLog(): Promise<SealedLog> {
  const database = await createTestDatabase()
  const pool = createPool({ connectionString: database.connectionString, max: 4 })
  await appendSome(pool)
  await sequenceNow(pool)
  // As a leader notes after a while; at once it may be held back by other databases' transactions.
  await pool.query('update tidemark.sequencer set low_xid = pg_current_xact_id()')
  const log: SealedLog = {
    pool,
    database,
    tamper: (statements) => tamper(database.connectionString, statements),
    seal: (maxEvents = 5) => sealAll(pool, maxEvents),
    faults: async (options) => {
      const { findings } = await verifyLog(pool, names, { graceMs: 1, ...options })
      return findings.map(({ kind, position }) => `${kind} ${position ?? '-'}`)
    },
    [Symbol.asyncDispose]: async () => {
      await pool.end()
      await database[Symbol.asyncDispose]()
    },
  }
  await log.seal()
  return log
}

/** Seals all that is sequenced in runs of a size. */
export async function sealAll(pool: pg.Pool, maxEvents: number): Promise<bigint> {
  for (;;) {
    const run = await sealRun(pool, names, maxEvents)
    if (run?.sealed === 0) return run.position
  }
}

async function appendSome(pool: pg.Pool): Promise<void> {
  for (const [index, count] of [4, 3, 1, 1, 3].entries()) {
    await append(
      pool,
      `note-${index % 2}`,
      Array.from({ length: count }, (_, n) => noted(n)),
    )
  }
}

function noted(n: number) {
  return { type: 'noted', data: { n }, metadata: { userId: `u-${n}` }, tags: ['a:b'] }
}

async function tamper(connectionString: string, statements: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(`set session_replication_role = replica; ${statements}`)
  } finally {
    await client.end()
  }
}
