import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'

/** What a server says of itself. */
export interface ServerFacts {
  readonly versionNumber: number
  readonly version: string
  readonly inRecovery: boolean
  readonly walLevel: string
  readonly systemIdentifier: string
  readonly database: string
  readonly databaseOid: string
}

interface Row {
  readonly version_number: string
  readonly version: string
  readonly in_recovery: string
  readonly wal_level: string
  readonly system_identifier: string
  readonly database: string
  readonly database_oid: string
}

/** Oldest server that tidemark runs on: `xid8`, `create or replace trigger`, SQL function bodies. */
export const oldestVersionNumber = 140_000

/** Asks the server for the facts that decide whether and how tidemark can run on it. */
export async function readServerFacts(client: pg.ClientBase): Promise<ServerFacts> {
  const { rows } = await client.query<Row>(/* sql */ `
    select
      current_setting('server_version_num') as version_number,
      current_setting('server_version') as version,
      pg_is_in_recovery()::text as in_recovery,
      current_setting('wal_level') as wal_level,
      (select system_identifier::text from pg_control_system()) as system_identifier,
      current_database()::text as database,
      (select oid::text from pg_database where datname = current_database()) as database_oid`)
  const [row] = rows as [Row]
  return {
    versionNumber: Number(row.version_number),
    version: row.version,
    inRecovery: row.in_recovery === 'true',
    walLevel: row.wal_level,
    systemIdentifier: row.system_identifier,
    database: row.database,
    databaseOid: row.database_oid,
  }
}

/**
 * Refuses a server that the log cannot live on.
 *
 * @throws SERVER_VERSION_UNSUPPORTED, DATABASE_READ_ONLY
 */
export function requireUsableServer(facts: ServerFacts): void {
  if (facts.versionNumber < oldestVersionNumber) {
    throw new TidemarkError(
      'SERVER_VERSION_UNSUPPORTED',
      `PostgreSQL ${facts.version} is too old: tidemark needs 14 or newer`,
      { details: { found: facts.version, required: '14' } },
    )
  }
  if (facts.inRecovery) {
    throw new TidemarkError(
      'DATABASE_READ_ONLY',
      `database "${facts.database}" is on a standby: connect to the primary`,
      { details: { target: facts.database } },
    )
  }
}

/** Says what it means that a server cannot decode its WAL, or nothing when it can. */
export function walLevelWarning(facts: ServerFacts): string | undefined {
  if (facts.walLevel === 'logical') return undefined
  return (
    `wal_level is "${facts.walLevel}": workers order events by polling, as exactly but later than with ` +
    '"logical". To change it: alter system set wal_level = logical; then restart the server.'
  )
}
