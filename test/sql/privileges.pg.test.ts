import pg from 'pg'
import { expect, test } from 'vitest'
import { createRole } from '../db/create-role.ts'
import { useDatabase } from '../support/database.ts'
import { sequence } from './log-fixture.ts'

const database = useDatabase()

test('a role that may read, insert and call append can append and read the log, and do nothing else', async () => {
  await using role = await createRole()
  await database.pool.query(/* sql */ `
    grant usage on schema tidemark to ${role.name};
    grant select, insert on tidemark.events to ${role.name};
    grant select on tidemark.sequencer, tidemark.commits, tidemark.log to ${role.name};
    grant execute on function tidemark.append to ${role.name}`)
  const client = new pg.Client({ connectionString: role.loginTo(database.connectionString) })
  await client.connect()
  try {
    const events = JSON.stringify([{ type: 'noted', data: {} }])
    await client.query(`select tidemark.append('a-1', 'absent', $1)`, [events])
    await client.query(`select tidemark.append('a-1', '1', $1)`, [events])
    await sequence(database.pool)
    expect((await client.query('select * from tidemark.log')).rowCount).toBe(2)
    expect((await client.query('select * from tidemark.read_log(0, 10)')).rowCount).toBe(3)

    for (const statement of [
      'update tidemark.events set type = $$x$$',
      'delete from tidemark.events',
      'truncate tidemark.events',
      'delete from tidemark.commits',
      'alter table tidemark.events disable trigger all',
      'set session_replication_role = replica',
      'drop table tidemark.events',
      `select tidemark.sequence_from_table(1, 'x', pg_current_snapshot(), '0/1')`,
    ]) {
      await expect(client.query(statement), statement).rejects.toMatchObject({ code: '42501' })
    }
  } finally {
    await client.end()
    await database.pool.query(`drop owned by ${role.name}`)
  }
})
