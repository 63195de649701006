import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { runner } from 'node-pg-migrate'
import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import { applyPrivileges } from './apply-privileges.ts'
import { claimSchema } from './claim-schema.ts'
import { advisoryLockKey, type LogNames, logNames } from './log-names.ts'
import { readServerFacts, requireUsableServer, walLevelWarning } from './preflight.ts'
import { ensurePublication } from './publication.ts'
import { ensureRoles } from './roles.ts'
import { forSchema, migrationsDirectory, readSqlObjects, type SqlObject } from './sql-files.ts'
import { sqlstate, sqlstateOf } from './sqlstate.ts'

/** What a run of the migrations did. All lists but the warnings are empty when there was nothing to do. */
export interface LogMigration {
  /** Migration files applied now. */
  readonly migrations: readonly string[]
  /** Functions, triggers and views whose text changed and was applied now. */
  readonly objects: readonly string[]
  /** Roles of the log, and `public`, whose privileges on it changed now. */
  readonly grantees: readonly string[]
  /** What to do so that everything works; the migrations themselves succeeded. */
  readonly warnings: readonly string[]
}

/**
 * Installs a log in a schema, or brings it to this release. Of two runs at once, one waits. Each
 * step is a transaction, and a run that was cut off is completed by the next one.
 *
 * @param client a connection that is thrown away afterwards: the runner leaves settings behind.
 * @throws SERVER_VERSION_UNSUPPORTED, DATABASE_READ_ONLY, PRIVILEGE_MISSING, SCHEMA_FOREIGN,
 *   MIGRATION_FAILED
 */
export async function migrateLog(client: pg.Client, schema?: string): Promise<LogMigration> {
  const names = logNames(schema)
  const facts = await readServerFacts(client)
  requireUsableServer(facts)
  const lock = advisoryLockKey(names.schema, 'migrate').toString()
  await client.query('select pg_advisory_lock($1)', [lock])
  try {
    await claimSchema(client, names.schema)
    const migrations = await applyMigrations(client, names.schema)
    const { roles, warnings } = await ensureRoles(client, names)
    // First, so that nobody can publish a message that is in the WAL and not in a slot's stream.
    await ensurePublication(client, names, facts.versionNumber)
    const applied = await applySql(client, names, roles)
    const warning = walLevelWarning(facts)
    return {
      migrations,
      ...applied,
      warnings: warning === undefined ? warnings : [warning, ...warnings],
    }
  } catch (error) {
    throw migrationError(error, facts.database)
  } finally {
    await client.query('rollback').catch(() => {})
    await client.query('select pg_advisory_unlock($1)', [lock]).catch(() => {})
  }
}

async function applyMigrations(client: pg.Client, schema: string): Promise<string[]> {
  const applied = await runner({
    dbClient: client,
    dir: migrationsDirectory,
    direction: 'up',
    schema: 'public',
    migrationsSchema: schema,
    migrationsTable: 'migrations',
    singleTransaction: true,
    noLock: true,
    checkOrder: true,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    migrationLoaderStrategies: [{ extensions: ['.sql'], loader: (paths) => load(paths, schema) }],
  })
  return applied.map((migration) => migration.name)
}

async function load(paths: readonly string[], schema: string) {
  return Promise.all(
    paths.map(async (path) => {
      const text = forSchema(await readFile(path, 'utf8'), schema)
      return {
        id: basename(path, '.sql'),
        filePaths: [path],
        actions: { up: (pgm: { sql(text: string): void }) => pgm.sql(text), down: false as const },
      }
    }),
  )
}

/** In one transaction, so that no new function is anybody's for a moment. */
async function applySql(
  client: pg.Client,
  names: LogNames,
  roles: readonly string[],
): Promise<Pick<LogMigration, 'objects' | 'grantees'>> {
  const changed = await changedSqlObjects(client, names.schema)
  await client.query('begin')
  for (const object of changed) await applySqlObject(client, names.schema, object)
  const grantees = await applyPrivileges(client, names, roles)
  await client.query('commit')
  return { objects: changed.map((object) => object.name), grantees }
}

async function changedSqlObjects(client: pg.Client, schema: string): Promise<readonly SqlObject[]> {
  const objects = await readSqlObjects(schema)
  const { rows } = await client.query<{ name: string; hash: string }>(
    `select name, hash from ${schema}.sql_objects`,
  )
  const installed = new Map(rows.map((row) => [row.name, row.hash]))
  return objects.filter((object) => installed.get(object.name) !== object.hash)
}

async function applySqlObject(client: pg.Client, schema: string, object: SqlObject): Promise<void> {
  await client.query(object.text)
  await client.query(
    /* sql */ `
    insert into ${schema}.sql_objects (name, hash)
    values ($1, $2)
    on conflict (name) do update set hash = excluded.hash, installed_at = now()`,
    [object.name, object.hash],
  )
}

function migrationError(error: unknown, database: string): unknown {
  if (error instanceof TidemarkError) return error
  if (sqlstateOf(error) === sqlstate.readOnlyTransaction) {
    return new TidemarkError('DATABASE_READ_ONLY', `database "${database}" is read-only`, {
      details: { target: database },
      cause: error,
    })
  }
  if (sqlstateOf(error) === sqlstate.insufficientPrivilege) {
    const operation = (error as Error).message
    const remedy = 'run the migrations as the owner of the database'
    return new TidemarkError('PRIVILEGE_MISSING', `${operation}: ${remedy}`, {
      details: { operation, remedy },
      cause: error,
    })
  }
  const step = error instanceof Error ? error.message : String(error)
  return new TidemarkError('MIGRATION_FAILED', `the migrations failed: ${step}`, {
    details: { step },
    cause: error,
  })
}
