import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import type { ServerFacts } from '../../db/preflight.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'

/** What is looked at. `docs/doctor.md` explains each. */
export type CheckName =
  | 'server-version'
  | 'standby'
  | 'clock'
  | 'pooler'
  | 'wal-level'
  | 'wal-keep-size'
  | 'replication-slots'
  | 'wal-senders'
  | 'transactions'
  | 'locks'
  | 'log'
  | 'cluster'
  | 'privileges'
  | 'publication'
  | 'slot'
  | 'retained-wal'
  | 'mode'
  | 'leader'
  | 'unsequenced'
  | 'subscriptions'
  | 'projections'

/** What one check came to. It names objects of the database, never data, queries or passwords. */
export interface DoctorFinding {
  readonly check: CheckName
  /** An error keeps the log from working, a warning may do so later or is not known to. */
  readonly severity: 'ok' | 'warning' | 'error'
  /** What was found. */
  readonly reason: string
  /** What to do; null when there is nothing to do. */
  readonly remedy: string | null
}

/** What checks need. */
export interface Examination {
  readonly pool: pg.Pool
  readonly connectionString: string
  readonly names: LogNames
  readonly facts: ServerFacts
  /** Whom the connection logged in. */
  readonly user: string
}

/** Says that a check found nothing wrong. */
export function fine(check: CheckName, reason: string): DoctorFinding {
  return { check, severity: 'ok', reason, remedy: null }
}

/** Says what may do harm later, or cannot be known. */
export function warning(check: CheckName, reason: string, remedy: string): DoctorFinding {
  return { check, severity: 'warning', reason, remedy }
}

/** Says what keeps the log from working. */
export function failure(check: CheckName, reason: string, remedy: string): DoctorFinding {
  return { check, severity: 'error', reason, remedy }
}

/**
 * Makes a check, or says that it could not be made and which role is missing for it.
 *
 * @param role that has what the check needs.
 */
export async function attempt(
  check: CheckName,
  { user }: Examination,
  role: string,
  work: () => Promise<readonly DoctorFinding[]>,
): Promise<readonly DoctorFinding[]> {
  try {
    return await work()
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.insufficientPrivilege) throw error
    return [unchecked(check, (error as Error).message, `grant ${role} to ${quoteIdent(user)}`)]
  }
}

/** Says that a check could not be made. */
export function unchecked(check: CheckName, reason: string, remedy: string): DoctorFinding {
  return warning(check, `could not be checked: ${reason}`, remedy)
}
