import type pg from 'pg'
import { expect } from 'vitest'
import { connect } from '../../src/db/connect.ts'
import { type LogMigration, migrateLog } from '../../src/db/migrate-log.ts'
import { dumpSchema } from './dump-schema.ts'

/** Runs the migrations of a log as `tidemark migrate` does: on a connection of their own. */
export async function migrateOnce(
  connectionString: string,
  schema?: string,
): Promise<LogMigration> {
  const client = await connect({ connectionString })
  try {
    return await migrateLog(client, schema)
  } finally {
    await client.end()
  }
}

/**
 * Dumps a log as if its schema were named `tidemark`, so that logs in two schemas can be compared.
 *
 * @param schema a name that occurs in nothing but the names of the log's objects.
 */
export async function dumpLog(pool: pg.Pool, schema: string): Promise<string> {
  const client = await pool.connect()
  try {
    return (await dumpSchema(client, schema)).replaceAll(schema, 'tidemark')
  } finally {
    client.release()
  }
}

/** Appends the first event of a log, sequences it and reads it back by position. */
export async function expectWorking(pool: pg.Pool, schema = 'tidemark'): Promise<void> {
  const appended = await pool.query(
    `select version from ${schema}.append('order-1', 'absent', '[{"type": "placed", "data": {}}]')`,
  )
  expect(appended.rows).toEqual([{ version: '1' }])
  await pool.query(/* sql */ `
    select s.*
    from ${schema}.sequencer
    cross join lateral ${schema}.sequence_from_table(generation, 'x', pg_current_snapshot(), '0/1') as s`)
  const read = await pool.query(
    `select position, stream_id, type from ${schema}.read_log(0, 10) where stream_id is not null`,
  )
  expect(read.rows).toEqual([{ position: '1', stream_id: 'order-1', type: 'placed' }])
}
