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

test('a role that may insert is held to the versions and ids that the functions give, and its tags are kept', async () => {
  await using role = await createRole()
  await database.pool.query(/* sql */ `
    grant usage on schema tidemark to ${role.name};
    grant insert on tidemark.events to ${role.name}`)
  const client = new pg.Client({ connectionString: role.loginTo(database.connectionString) })
  await client.connect()
  const insert = (version: number, columns = '', values = '') =>
    client.query(`
      insert into tidemark.events (stream_id, version, event_id, type, data, tags${columns})
      overriding system value
      values ('b-1', ${version}, gen_random_uuid(), 'noted', '{}', '{b}'${values})`)
  try {
    await insert(1)
    await expect(insert(1)).rejects.toMatchObject({ code: '23505' })
    await expect(insert(3)).rejects.toMatchObject({ code: 'TM002' })
    await expect(insert(2, ', insert_id', ', 1')).rejects.toMatchObject({ code: 'TM002' })
    await expect(insert(2, ', transaction_id', `, '3'`)).rejects.toMatchObject({ code: 'TM003' })
    await expect(insert(2, ', incarnation', ', 2')).rejects.toMatchObject({ code: 'TM003' })
    await insert(2)
    const { rows } = await database.pool.query(
      `select tag from tidemark.event_tags where tag = 'b'`,
    )
    expect(rows).toHaveLength(2)
    await expect(client.query('select from tidemark.events')).rejects.toMatchObject({
      code: '42501',
    })
  } finally {
    await client.end()
    await database.pool.query(`drop owned by ${role.name}`)
  }
})
