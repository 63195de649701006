import type pg from 'pg'
import { describe, expect, inject, test } from 'vitest'
import { logNames } from '../../src/db/log-names.ts'
import {
  ensurePublication,
  readPublicationFingerprint,
  verifyPublication,
} from '../../src/db/publication.ts'
import { migrate } from '../../src/worker/migrate.ts'
import { createTestDatabase, useDatabase } from '../support/database.ts'

const database = useDatabase()
const names = logNames()
const { version } = inject('postgres')
const hasColumnLists = version >= 150_000

/** Runs `use` after the given statements, and undoes everything. */
async function changed(statements: string, use: (client: pg.Client) => Promise<void>) {
  const client = await database.client()
  await client.query(`begin; ${statements}`)
  try {
    await use(client)
  } finally {
    await client.query('rollback')
    await client.end()
  }
}

/** Expects the publication that is left after `statements` to be refused for a reason. */
async function expectInvalid(statements: string, reason: string | RegExp) {
  const details = { publication: 'tidemark_log', reason: expect.stringMatching(reason) }
  const refused = { code: 'PUBLICATION_INVALID', details }
  await changed(statements, async (client) => {
    await expect(verifyPublication(client, names, version)).rejects.toMatchObject(refused)
  })
}

const drop = 'drop publication tidemark_log;'
const create = (what: string, publish = 'insert') =>
  `${drop} create publication tidemark_log ${what} with (publish = '${publish}');`
const columns = hasColumnLists ? '(incarnation, transaction_id)' : ''
const outbox = `tidemark.outbox ${columns}`
const events = `for table tidemark.events ${columns}`
const both = `${events}, ${outbox}`

describe('the publication of a log', () => {
  test('is valid after the migrations', async () => {
    await changed('', (client) => verifyPublication(client, names, version))
  })

  test.runIf(hasColumnLists)('carries the columns that sequencing needs and no data', async () => {
    await changed('', async (client) => {
      const { rows } = await client.query(
        `select attnames::text[] as columns from pg_publication_tables where pubname = $1`,
        [names.publication],
      )
      const needed = { columns: ['incarnation', 'transaction_id'] }
      expect(rows).toEqual([needed, needed])
    })
  })

  test('is left alone when it stands', async () => {
    const statement = `select oid, xmin from pg_publication where pubname = 'tidemark_log'`
    await changed('', async (client) => {
      const before = await client.query(statement)
      await ensurePublication(client, names, version)
      expect((await client.query(statement)).rows).toEqual(before.rows)
    })
  })

  test('gets the outbox when it was made before there was one', async () => {
    await changed(create(events), async (client) => {
      const fingerprint = await readPublicationFingerprint(client, names)
      await ensurePublication(client, names, version)
      await verifyPublication(client, names, version)
      expect(await readPublicationFingerprint(client, names)).not.toBe(fingerprint)
    })
  })

  test('is created when it is missing', async () => {
    await changed(drop, async (client) => {
      await ensurePublication(client, names, version)
      await verifyPublication(client, names, version)
    })
  })

  test('may carry whole rows, as on servers without column lists', async () => {
    await changed(create('for table tidemark.events, tidemark.outbox'), (client) =>
      verifyPublication(client, names, version),
    )
  })
})

describe('a publication is refused', () => {
  test('when it does not exist', async () => {
    await expectInvalid(drop, /^does not exist$/)
  })

  test('when it publishes nothing', async () => {
    await expectInvalid(create(events, ''), /^does not publish inserts$/)
  })

  test('when it publishes other changes than inserts only', async () => {
    await expectInvalid(create(events, 'update'), /^does not publish inserts$/)
  })

  test.each(['update', 'delete', 'truncate'])('when it publishes %ss too', async (operation) => {
    await expectInvalid(
      create('for table tidemark.events, tidemark.outbox', `insert, ${operation}`),
      /^publishes more than inserts$/,
    )
  })

  test('when it has no table', async () => {
    await expectInvalid(create(''), /^lacks table "tidemark\.events"$/)
  })

  test('when it lacks the outbox', async () => {
    await expectInvalid(create(events), /^lacks table "tidemark\.outbox"$/)
  })

  test('when it has the table of another log', async () => {
    const other = 'create schema o; create table o.events (like tidemark.events); '
    await expectInvalid(other + create('for table o.events'), /^lacks table "tidemark\.events"$/)
  })

  test('when it has a second table', async () => {
    await expectInvalid(
      `create table public.orders (); ${create(`${both}, public.orders`)}`,
      /^publishes other tables too: .*public\.orders/,
    )
  })

  test('when it is for all tables', async () => {
    await expectInvalid(create('for all tables'), /^publishes other tables too: /)
  })

  test.runIf(hasColumnLists)('when it is for all tables of the schema', async () => {
    await expectInvalid(create('for tables in schema tidemark'), /^publishes other tables too: /)
  })

  test.runIf(hasColumnLists).each(['incarnation', 'transaction_id', 'stream_id, version'])(
    'when it has only the columns %s',
    async (list) => {
      await expectInvalid(
        create(`for table tidemark.events (${list}), ${outbox}`),
        /^lacks one of the columns incarnation, transaction_id$/,
      )
    },
  )

  test.runIf(hasColumnLists)('when it leaves out rows', async () => {
    await expectInvalid(create(`${events} where (stream_id <> 'order-1'), ${outbox}`), /filter/)
  })

  test('with a remedy that helps', async () => {
    await changed(create('for all tables'), async (client) => {
      const error: Error = await verifyPublication(client, names, version).then(
        () => expect.unreachable(),
        (reason) => reason,
      )
      const remedy = /Run: (.+;) then migrate again\.$/.exec(error.message)?.[1] ?? ''
      await client.query(remedy)
      await ensurePublication(client, names, version)
      await verifyPublication(client, names, version)
    })
  })

  test('by the migrations', async () => {
    await using broken = await createTestDatabase()
    await broken.pool.query(create('for all tables'))
    const { connectionString } = broken
    await expect(migrate({ connectionString, jobSchema: false })).rejects.toMatchObject({
      code: 'PUBLICATION_INVALID',
    })
  })
})
