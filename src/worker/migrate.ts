import { type Logger, silentLogger } from '../core/logger.ts'
import { connect, createPool } from '../db/connect.ts'
import { type MigrateResult, migrateLog } from '../db/migrate-log.ts'
import { defaultJobSchema, installJobs } from '../jobs/run-jobs.ts'

export interface MigrateOptions {
  readonly connectionString: string
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  /** Schema of graphile-worker. Default `graphile_worker`; false leaves it to others. */
  readonly jobSchema?: string | false
  readonly logger?: Logger
}

/**
 * Installs a log in a database, or brings it to this release; also graphile-worker, for jobs. Leaves
 * everything else in the database alone. Running it again changes nothing; of two runs at once, one
 * waits.
 *
 * @throws CONNECTION_FAILED, SERVER_VERSION_UNSUPPORTED, DATABASE_READ_ONLY, PRIVILEGE_MISSING,
 *   SCHEMA_FOREIGN, PUBLICATION_INVALID, MIGRATION_FAILED: each with the remedy.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { connectionString, schema, jobSchema = defaultJobSchema, logger = silentLogger } = options
  const client = await connect({ connectionString, applicationName: 'tidemark migrate' })
  try {
    const result = await migrateLog(client, schema)
    if (jobSchema !== false) await migrateJobs(connectionString, jobSchema, logger)
    return result
  } finally {
    await client.end()
  }
}

async function migrateJobs(
  connectionString: string,
  jobSchema: string,
  logger: Logger,
): Promise<void> {
  const pool = createPool({ connectionString, applicationName: 'tidemark migrate', max: 1 })
  try {
    await installJobs(pool, jobSchema, logger)
  } finally {
    await pool.end()
  }
}
