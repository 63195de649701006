import type { Job as GraphileJob } from 'graphile-worker'
import type pg from 'pg'
import { quoteIdent } from '../db/quote-ident.ts'

/** Makes the attempt at hand the last one. Graphile-worker then keeps the job as failed for good. */
export async function markPermanent(
  pool: pg.Pool,
  jobSchema: string,
  { id, locked_by }: GraphileJob,
): Promise<void> {
  await pool.query(
    /* sql */ `
    update ${quoteIdent(jobSchema)}._private_jobs
    set attempts = max_attempts
    where id = $1 and locked_by = $2`,
    [id, locked_by],
  )
}

/** Does not count the attempt at hand: that the worker stops is no fault of the job. */
export async function refundAttempt(
  pool: pg.Pool,
  jobSchema: string,
  { id, locked_by }: GraphileJob,
): Promise<void> {
  await pool.query(
    /* sql */ `
    update ${quoteIdent(jobSchema)}._private_jobs
    set attempts = greatest(attempts - 1, 0)
    where id = $1 and locked_by = $2`,
    [id, locked_by],
  )
}

/** Puts a job off whose attempt was not begun, and does not count it. Graphile-worker adds a second or more. */
export async function postpone(
  pool: pg.Pool,
  jobSchema: string,
  { id, locked_by }: GraphileJob,
  until: Date,
): Promise<void> {
  await pool.query(
    /* sql */ `
    update ${quoteIdent(jobSchema)}._private_jobs
    set attempts = greatest(attempts - 1, 0), run_at = greatest(run_at, $3)
    where id = $1 and locked_by = $2`,
    [id, locked_by, until],
  )
}

/**
 * Whether a newer job has come with the key of this one while it ran: graphile-worker takes the key from the
 * old one then, and has it fail for good.
 */
export async function isSuperseded(
  pool: pg.Pool,
  jobSchema: string,
  { id }: GraphileJob,
): Promise<boolean> {
  const { rows } = await pool.query(
    /* sql */ `select from ${quoteIdent(jobSchema)}._private_jobs where id = $1 and key is null`,
    [id],
  )
  return rows.length > 0
}
