import { randomBytes } from 'node:crypto'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { logNames } from '../../src/db/log-names.ts'
import { readSqlObjects } from '../../src/db/sql-files.ts'
import { createTestDatabase, type TestDatabase, useDatabase } from '../support/database.ts'
import { queryOnce } from '../support/query-once.ts'
import { until } from '../support/until.ts'
import { createRole, type TestRole } from './create-role.ts'
import { dumpLog, expectWorking, migrateOnce } from './installed-log.ts'

const database = useDatabase()
const { connectionString: serverUrl, walLevel } = inject('postgres')
const isLogical = walLevel === 'logical'

/** Names a log whose roles no other log of the server has, and drops them when the test is over. */
function newLog() {
  const names = logNames(`log_${randomBytes(4).toString('hex')}`)
  const roles = Object.values(names.roles)
  const databases: (TestDatabase & AsyncDisposable)[] = []
  const owners: TestRole[] = []
  onTestFinished(async () => {
    for (const opened of databases) await opened[Symbol.asyncDispose]()
    for (const owner of owners) await owner[Symbol.asyncDispose]()
    for (const role of roles) await queryOnce(serverUrl, `drop role if exists ${role}`)
  })
  /** Roles can be dropped only after the databases that grant them something. */
  const openDatabase = async () => {
    const opened = await createTestDatabase({ template: false })
    databases.push(opened)
    return opened
  }
  /** As a user who owns a database and may not create roles. */
  const openOwned = async () => {
    const owner = await createRole()
    owners.push(owner)
    const owned = await openDatabase()
    await owned.pool.query(`alter database ${owned.name} owner to ${owner.name}`)
    return { owned, url: owner.loginTo(owned.connectionString) }
  }
  return { names, schema: names.schema, roles, openDatabase, openOwned }
}

/** The warnings, but the one about `wal_level`. */
function aboutRoles({ warnings }: { readonly warnings: readonly string[] }): readonly string[] {
  return isLogical ? warnings : warnings.slice(1)
}

async function findRoles(roles: readonly string[]): Promise<Record<string, unknown>[]> {
  return queryOnce(
    serverUrl,
    /* sql */ `
    select rolname as name, rolcanlogin or rolsuper or rolcreaterole or rolcreatedb
      or rolreplication or rolbypassrls as may_more
    from pg_roles
    where rolname = any ($1)
    order by 1`,
    [roles],
  )
}

describe('the roles of a log', () => {
  test('are created with it, cannot log in, and may do nothing of themselves', async () => {
    const { schema, roles, openDatabase } = newLog()
    const { connectionString } = await openDatabase()
    expect(await findRoles(roles)).toEqual([])

    const result = await migrateOnce(connectionString, schema)
    expect(aboutRoles(result)).toEqual([])
    expect(result.grantees).toEqual(['public', ...roles])
    expect(await findRoles(roles)).toEqual(roles.map((name) => ({ name, may_more: false })))
    expect((await migrateOnce(connectionString, schema)).grantees).toEqual([])
  })

  test('are shared by logs of one schema in several databases, of which each grants its own', async () => {
    const { schema, names, openDatabase } = newLog()
    await using role = await createRole()
    const [first, second] = [await openDatabase(), await openDatabase()]
    await migrateOnce(first.connectionString, schema)
    await queryOnce(serverUrl, `grant ${names.roles.read} to ${role.name}`)
    const head = `select position from ${schema}.sequencer`
    expect(await queryOnce(role.loginTo(first.connectionString), head)).toHaveLength(1)
    expect((await migrateOnce(second.connectionString, schema)).grantees).toHaveLength(4)
    expect(await queryOnce(role.loginTo(second.connectionString), head)).toHaveLength(1)
    await expect(
      queryOnce(role.loginTo(database.connectionString), 'select from tidemark.sequencer'),
    ).rejects.toMatchObject({ code: '42501' })
  })

  test('are created once when databases are migrated at once', async () => {
    const { schema, openDatabase } = newLog()
    const databases = [await openDatabase(), await openDatabase(), await openDatabase()]
    const runs = databases.map(({ connectionString }) => migrateOnce(connectionString, schema))
    for (const result of await Promise.all(runs)) {
      expect(aboutRoles(result)).toEqual([])
      expect(result.grantees).toHaveLength(4)
    }
  })

  test('may be created by another database at that very moment', async () => {
    const { schema, names, openDatabase } = newLog()
    const { connectionString, pool } = await openDatabase()
    const other = await database.client()
    await other.query(`begin; create role ${names.roles.append} nologin`)
    const run = migrateOnce(connectionString, schema)
    await until('the migrations to wait for the other', async (saw) => {
      const { rows } = await pool.query(/* sql */ `
        select query
        from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      saw(rows)
      return rows.some(({ query }) => query.startsWith('create role'))
    })
    await other.query('commit')
    await other.end()
    expect((await run).grantees).toHaveLength(4)
  })
})

describe('a user who may not create roles', () => {
  test('gets the log, and is told what an administrator has to run, which is enough', async () => {
    const { schema, roles, openOwned } = newLog()
    const { owned, url } = await openOwned()
    const first = await migrateOnce(url, schema)
    const [warning = ''] = aboutRoles(first)
    expect(warning).toMatch(/^this user may not create roles, .* Then migrate again\.$/)
    expect(first.grantees).toEqual(['public'])
    expect(await findRoles(roles)).toEqual([])
    await expectWorking(owned.pool, schema)

    const sql = /As an administrator run: (.*;) Then/.exec(warning)?.[1] ?? ''
    await queryOnce(serverUrl, sql)
    const second = await migrateOnce(url, schema)
    expect(aboutRoles(second)).toEqual([])
    expect(second.grantees).toEqual(roles)
  })

  test('has granted what it can to those roles that exist', async () => {
    const { schema, names, openOwned } = newLog()
    const { url } = await openOwned()
    await queryOnce(serverUrl, `create role ${names.roles.read}`)
    const result = await migrateOnce(url, schema)
    expect(result.grantees).toEqual(['public', names.roles.read])
    const [warning] = aboutRoles(result)
    expect(warning).toContain(`create role ${names.roles.append} nologin;`)
    expect(warning).not.toContain(names.roles.read)
  })
})

test.each(['login', 'superuser'])(
  'a role of such a name with the attribute %s is granted nothing',
  async (attribute) => {
    const { schema, names, openDatabase } = newLog()
    await queryOnce(serverUrl, `create role ${names.roles.worker} ${attribute}`)
    const { connectionString } = await openDatabase()
    const result = await migrateOnce(connectionString, schema)
    expect(result.grantees).toEqual(['public', names.roles.append, names.roles.read])
    expect(aboutRoles(result)).toEqual([
      expect.stringMatching(
        new RegExp(`^role "${names.roles.worker}" can log in or is a superuser`),
      ),
    ])
  },
)

describe('privileges on a log', () => {
  test('are as they are to be again after each run, whatever was granted and revoked', async () => {
    const { schema, roles, names, openDatabase } = newLog()
    const { connectionString, pool } = await openDatabase()
    await migrateOnce(connectionString, schema)
    const original = await dumpLog(pool, schema)

    await pool.query(/* sql */ `
      revoke select on ${schema}.events from ${names.roles.read};
      revoke usage on schema ${schema} from ${names.roles.append};
      grant insert on ${schema}.events to ${names.roles.append};
      grant create on schema ${schema} to ${names.roles.append};
      grant update (schema_name) on ${schema}.projections to ${names.roles.worker};
      grant usage on sequence ${schema}.events_insert_id_seq to ${names.roles.worker};
      grant execute on all functions in schema ${schema} to public, ${names.roles.read}`)
    expect(await dumpLog(pool, schema)).not.toBe(original)
    expect((await migrateOnce(connectionString, schema)).grantees).toEqual(['public', ...roles])
    expect(await dumpLog(pool, schema)).toBe(original)
  })

  test('are left alone when they are those of others', async () => {
    const { schema, openDatabase } = newLog()
    await using role = await createRole()
    const { connectionString, pool } = await openDatabase()
    await migrateOnce(connectionString, schema)
    await pool.query(/* sql */ `
      grant usage on schema ${schema} to ${role.name};
      grant insert, select on ${schema}.events to ${role.name};
      grant execute on function ${schema}.append to ${role.name}`)
    const granted = await dumpLog(pool, schema)
    expect((await migrateOnce(connectionString, schema)).grantees).toEqual([])
    expect(await dumpLog(pool, schema)).toBe(granted)
    await pool.query(`drop owned by ${role.name}`)
  })

  test('are those of a new function from its first moment', async () => {
    const { schema, openDatabase } = newLog()
    const { connectionString, pool } = await openDatabase()
    await migrateOnce(connectionString, schema)
    const original = await dumpLog(pool, schema)
    await pool.query(/* sql */ `
      drop function ${schema}.append;
      delete from ${schema}.sql_objects where name = 'functions/append.sql'`)

    const writer = await database.client({ connectionString })
    // The transaction of the migrations cannot end before this one.
    await writer.query(`begin; revoke execute on function ${schema}.append_stream from public`)
    const run = migrateOnce(connectionString, schema)
    await until('the migrations to wait while they grant', async (saw) => {
      const { rows } = await pool.query(/* sql */ `
        select query
        from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`)
      saw(rows)
      return rows.some(({ query }) => query.includes('revoke execute'))
    })
    const { rows } = await pool.query(`select to_regproc('${schema}.append') as made`)
    expect(rows).toEqual([{ made: null }])
    await writer.query('rollback')
    await writer.end()
    expect((await run).objects).toEqual(['functions/append.sql'])
    expect(await dumpLog(pool, schema)).toBe(original)
  })
})

test('nobody but the roles may call a function that runs with the rights of the owner', async () => {
  await using role = await createRole()
  const { rows } = await database.pool.query(
    /* sql */ `
    select p.proname as name, has_function_privilege($1, p.oid, 'execute') as may_call
    from pg_proc as p
    where p.pronamespace = 'tidemark'::regnamespace and p.prosecdef
    order by 1`,
    [role.name],
  )
  const definers = (await readSqlObjects('tidemark'))
    .filter(({ text }) => /^security definer$/m.test(text))
    .map(({ name }) => ({ name: /(\w+)\.sql$/.exec(name)?.[1], may_call: false }))
  expect(rows).toEqual(definers.toSorted((a, b) => (a.name ?? '').localeCompare(b.name ?? '')))
  expect(rows.length).toBeGreaterThan(10)
})
