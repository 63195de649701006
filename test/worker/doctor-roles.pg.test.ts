import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/index.ts'
import { diagnose } from '../../src/worker/doctor/diagnose.ts'
import { createRole, type TestRole } from '../db/create-role.ts'
import { append } from '../sequencer/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase & AsyncDisposable
let stranger: TestRole
let app: TestRole
let worker: TestRole

beforeAll(async () => {
  stranger = await createRole()
  app = await createRole()
  worker = await createRole('replication')
  database = await createTestDatabase()
  const { connectionString, name, pool } = database
  await migrate({ connectionString, jobSchema: false })
  await pool.query(/* sql */ `
    grant tidemark_append to ${app.name};
    grant tidemark_worker, pg_monitor to ${worker.name};
    grant create on database ${name} to ${worker.name}`)
})

afterAll(async () => {
  await database[Symbol.asyncDispose]()
  for (const role of [stranger, app, worker]) await role[Symbol.asyncDispose]()
})

/** What the doctor says to a user, of the checks that have to do with privileges. */
async function troubles(role: TestRole): Promise<string[]> {
  const connectionString = role.loginTo(database.connectionString)
  const { findings } = await diagnose({ connectionString, graceMs: 1 })
  const others = ['wal-keep-size', 'slot', 'leader']
  return findings
    .filter(({ check, severity }) => severity !== 'ok' && !others.includes(check))
    .map(({ check, severity, reason, remedy }) => `${severity} ${check}: ${reason} -> ${remedy}`)
}

const blind = (role: TestRole) =>
  'warning transactions: could not be checked: this user does not see the transactions of others ' +
  `-> grant pg_monitor to "${role.name}"`

test('a user without any rights is told which role to be granted', async () => {
  expect(await troubles(stranger)).toEqual([
    blind(stranger),
    `error log: "${stranger.name}" may not read the log in schema "tidemark" ` +
      `-> grant tidemark_read to "${stranger.name}"`,
  ])
})

test('an application is told what it lacks to be a worker, and nothing else is wrong', async () => {
  const lacks = (what: string, remedy: string) =>
    `warning privileges: a worker that connects as "${app.name}" may not ${what} -> ${remedy}`
  expect(await troubles(app)).toEqual([
    blind(app),
    lacks('write the ledger', `grant tidemark_worker to "${app.name}"`),
    lacks('stream from the WAL', `alter role "${app.name}" replication, or its service's role`),
    lacks(
      'create schemas of projections',
      `grant create on database "${database.name}" to "${app.name}"`,
    ),
  ])
})

test('a worker with the rights of docs/privileges.md lacks nothing', async () => {
  expect(await troubles(worker)).toEqual([])
})

test('a check that may not be made names the table and the role, and the others are made', async () => {
  await append(database.pool, 'note-1')
  await database.pool.query(/* sql */ `
    grant usage on schema tidemark to ${stranger.name};
    grant select on tidemark.sequencer to ${stranger.name}`)
  const found = (await troubles(stranger)).filter((line) => line.includes('could not be checked'))
  await database.pool.query(/* sql */ `
    revoke all on schema tidemark from ${stranger.name};
    revoke all on tidemark.sequencer from ${stranger.name}`)
  const grant = `grant tidemark_read to "${stranger.name}"`
  expect(found).toEqual([
    blind(stranger),
    expect.stringMatching(
      new RegExp(`^warning cluster: could not be checked: permission denied.* -> ${grant}$`),
    ),
    expect.stringMatching(
      new RegExp(`^warning subscriptions: could not be checked: permission denied.* -> ${grant}$`),
    ),
    expect.stringMatching(
      new RegExp(`^warning unsequenced: could not be checked: permission denied.* -> ${grant}$`),
    ),
  ])
})
