import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { createStore } from '../../src/worker/create-store.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { startChosenPostgres } from '../support/servers/chosen-postgres.ts'
import { migrateOnce } from './installed-log.ts'

let server: EmbeddedPostgres

beforeAll(async () => {
  server = await startChosenPostgres({ durable: false, settings: { wal_level: 'replica' } })
})

afterAll(async () => {
  await server?.stop()
})

test('a server that cannot decode its WAL gets a log, with a warning', async () => {
  const { connectionString } = server
  const { warnings } = await migrate({ connectionString, jobSchema: false })
  expect(warnings).toEqual([
    'wal_level is "replica": workers order events by polling, as exactly but later than with ' +
      '"logical". To change it: alter system set wal_level = logical; then restart the server.',
  ])

  await using store = await createStore({ connectionString })
  const noted = { type: 'noted', schemaVersion: 1, data: {} }
  expect(await store.append('a-1', noted, { expect: 'absent' })).toMatchObject({ version: 1n })
  expect(await store.append('a-1', noted, { expect: 1n })).toMatchObject({ version: 2n })
  expect(await migrateOnce(connectionString)).toEqual({
    migrations: [],
    objects: [],
    grantees: [],
    warnings,
  })
})

test('a standby is refused, with a log and without', async () => {
  // Recovery that has nobody to follow: the server stays a hot standby.
  await writeFile(join(server.dataDirectory, 'standby.signal'), '')
  await server.restart()
  for (const schema of ['tidemark', 'orders']) {
    await expect(migrateOnce(server.connectionString, schema)).rejects.toMatchObject({
      code: 'DATABASE_READ_ONLY',
      message: 'database "postgres" is on a standby: connect to the primary',
      details: { target: 'postgres' },
    })
  }
})
