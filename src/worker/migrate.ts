import type pg from 'pg'
import { type Logger, silentLogger } from '../core/logger.ts'
import { connect, createPool } from '../db/connect.ts'
import { logNames } from '../db/log-names.ts'
import { type LogMigration, migrateLog } from '../db/migrate-log.ts'
import { readServerFacts } from '../db/preflight.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'
import { defaultJobSchema, installJobs } from '../jobs/run-jobs.ts'
import { currentIncarnation } from '../sequencer/incarnation.ts'
import { readSequencer } from '../sequencer/sequencer-state.ts'

export interface MigrateOptions {
  readonly connectionString: string
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
  /** Schema of graphile-worker. Default `graphile_worker`; false leaves it to others. */
  readonly jobSchema?: string | false
  readonly logger?: Logger
}

/** What `migrate` did. */
export interface MigrateResult extends LogMigration {
  /** The incarnation that was begun now, because the log was restored here; null: it was at home. */
  readonly incarnation: number | null
}

/**
 * Installs a log in a database, or brings it to this release; also graphile-worker, for jobs. Leaves
 * everything else in the database alone. Running it again changes nothing; of two runs at once, one
 * waits. Where a log was restored from another cluster, appends go on from then.
 *
 * @throws CONNECTION_FAILED, SERVER_VERSION_UNSUPPORTED, DATABASE_READ_ONLY, PRIVILEGE_MISSING,
 *   SCHEMA_FOREIGN, PUBLICATION_INVALID, MIGRATION_FAILED: each with the remedy.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { connectionString, schema, jobSchema = defaultJobSchema, logger = silentLogger } = options
  const client = await connect({ connectionString, applicationName: 'tidemark migrate' })
  try {
    const result = await migrateLog(client, schema)
    const incarnation = await beginWhereRestored(client, schema, logger)
    if (jobSchema !== false) await migrateJobs(connectionString, jobSchema, logger)
    return { ...result, incarnation }
  } finally {
    await client.end()
  }
}

/** So that a log which was restored here takes appends before any worker runs. */
async function beginWhereRestored(
  client: pg.ClientBase,
  schema: string | undefined,
  logger: Logger,
): Promise<number | null> {
  const names = logNames(schema)
  const facts = await readServerFacts(client)
  const before = await readSequencer(client, names.schema)
  try {
    const { incarnation } = await currentIncarnation({ client, names, facts, logger })
    return incarnation === before.incarnation ? null : incarnation
  } catch (error) {
    // A worker was first.
    if (sqlstateOf(error) !== sqlstate.sequencerSuperseded) throw error
    return null
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
