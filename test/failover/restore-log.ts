import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { connect } from '../../src/db/connect.ts'

/**
 * Restores the log of one server on another, where one is installed, as pg_restore does after pg_dump:
 * rows by COPY past the triggers, sequences, and the default that tells the incarnation. Needs no
 * program of the server.
 */
export async function restoreLog(from: string, to: string): Promise<void> {
  const options = { applicationName: 'test restore', pipeline: false }
  const source = await connect({ connectionString: from, ...options })
  const target = await connect({ connectionString: to, ...options })
  try {
    await source.query('begin isolation level repeatable read')
    await target.query('set session_replication_role = replica')
    for (const table of await listTables(source)) {
      await target.query(`delete from ${table}`)
      await pipeline(
        source.query(copyTo(`copy ${table} to stdout`)),
        target.query(copyFrom(`copy ${table} from stdin`)),
      )
    }
    const { rows } = await source.query(/* sql */ `
      select incarnation, (select last_value::text from tidemark.events_insert_id_seq) as last
      from tidemark.sequencer`)
    await target.query("select setval('tidemark.events_insert_id_seq', $1)", [rows[0].last])
    await target.query(
      `alter table tidemark.events alter column incarnation set default ${rows[0].incarnation}`,
    )
  } finally {
    await source.end()
    await target.end()
  }
}

async function listTables(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(/* sql */ `
    select oid::regclass::text as name
    from pg_class
    where relnamespace = 'tidemark'::regnamespace
      and relkind = 'r'
      and relname not in ('migrations', 'sql_objects')
    order by relname`)
  return rows.map(({ name }) => name)
}
