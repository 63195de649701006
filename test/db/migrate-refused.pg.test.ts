import { afterEach, describe, expect, inject, test } from 'vitest'
import { eventRegistry } from '../../src/core/event-registry.ts'
import { connect } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import { verifyPublication } from '../../src/db/publication.ts'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import { readStream } from '../../src/store/read-stream.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'
import { createRole } from './create-role.ts'
import { expectWorking, migrateOnce } from './installed-log.ts'

const database = useDatabase()
const { version } = inject('postgres')

describe('a schema is refused', () => {
  afterEach(async () => {
    await database.pool.query('drop schema theirs cascade')
  })

  test.each([
    ['a table', 'create table theirs.events (id integer)'],
    ['a view', 'create view theirs.log as select 1 as id'],
    ['a sequence', 'create sequence theirs.ids'],
    ['a function', `create function theirs.append(text) returns text language sql as 'select $1'`],
    ['a type', `create type theirs.log_row as enum ('a')`],
    ['migrations of another program', 'create table theirs.migrations (version text)'],
  ])('when it holds %s of somebody else', async (_, statement) => {
    const { pool, connectionString } = database
    await pool.query(`create schema theirs; ${statement}`)
    await expect(migrateOnce(connectionString, 'theirs')).rejects.toMatchObject({
      code: 'SCHEMA_FOREIGN',
      message: expect.stringMatching(/^schema "theirs" exists .+: set `schema` to another name$/),
      details: { schema: 'theirs' },
    })
    const { rows } = await pool.query(`select to_regclass('theirs.sql_objects') as made`)
    expect(rows).toEqual([{ made: null }])
  })
})

describe('a user who may not create a schema', () => {
  test('is told the grant that is missing, and it is enough', async () => {
    await using role = await createRole()
    await using empty = await createTestDatabase({ template: false })
    const url = role.loginTo(empty.connectionString)
    const error = await migrateOnce(url).catch((reason) => reason)
    const remedy = `grant create on database "${empty.name}" to "${role.name}"`
    expect(error).toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message:
        `user "${role.name}" may not create a schema in database "${empty.name}". ` +
        `Run: ${remedy};`,
      details: { operation: `create a schema in database "${empty.name}"`, remedy },
    })
    expect(error.message).not.toContain(role.password)

    await empty.pool.query(error.details.remedy)
    await migrateOnce(url)
    await expectWorking(empty.pool)
    await empty.pool.query(`drop owned by ${role.name}`)
  })

  test('is told so on a log that somebody else installed', async () => {
    await using role = await createRole()
    await expect(migrateOnce(role.loginTo(database.connectionString))).rejects.toMatchObject({
      code: 'PRIVILEGE_MISSING',
    })
  })
})

describe('a user who may create schemas, but does not own this one,', () => {
  test.each([
    ['empty', 'create schema taken'],
    ['a log', undefined],
  ])('is told that a privilege is missing when it is %s', async (_, statement) => {
    await using role = await createRole()
    await using other = await createTestDatabase({ template: statement === undefined })
    await other.pool.query(`grant create on database ${other.name} to ${role.name}`)
    if (statement) await other.pool.query(statement)

    const schema = statement === undefined ? 'tidemark' : 'taken'
    const url = role.loginTo(other.connectionString)
    const error = await migrateOnce(url, schema).catch((reason) => reason)
    expect(error).toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message: expect.stringContaining(`schema ${schema}`),
    })
    expect(error.message).not.toContain('\n')
  })
})

describe('the owner of the database, who is no superuser,', () => {
  test('can install the log, append, sequence, read and install again', async () => {
    await using role = await createRole()
    await using owned = await createTestDatabase({ template: false })
    await owned.pool.query(`alter database ${owned.name} owner to ${role.name}`)
    const url = role.loginTo(owned.connectionString)
    await migrateOnce(url)

    const client = await connect({ connectionString: url })
    const names = logNames()
    const noted = { type: 'noted', schemaVersion: 1, data: {} }
    await appendToStream(client, names, { streamId: 'a-1', events: [noted], expect: 'absent' })
    await appendToStreams(client, names, [
      { streamId: 'a-1', events: [noted], expect: 1n },
      { streamId: 'a-2', events: [noted] },
    ])
    await client.query(/* sql */ `
      select tidemark.sequence_from_table(generation, 'x', pg_current_snapshot(), '0/1')
      from tidemark.sequencer`)
    const log = await client.query('select position from tidemark.log order by position')
    expect(log.rows).toEqual([{ position: '1' }, { position: '2' }, { position: '3' }])
    const registry = { ...eventRegistry([]), upcast: <E>(event: E) => event }
    expect(await readStream(client, names, registry, 'a-1')).toHaveLength(2)
    await verifyPublication(client, names, version)
    await expect(client.query('truncate tidemark.events')).rejects.toMatchObject({ code: 'TM001' })
    await client.end()
    expect(await migrateOnce(url)).toMatchObject({ migrations: [], objects: [] })
  })
})

test('a database that is read-only is refused as such', async () => {
  await using frozen = await createTestDatabase({ template: false })
  await frozen.pool.query(`alter database ${frozen.name} set default_transaction_read_only = on`)
  await expect(migrateOnce(frozen.connectionString)).rejects.toMatchObject({
    code: 'DATABASE_READ_ONLY',
    details: { target: frozen.name },
  })
})
