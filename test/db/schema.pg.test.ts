import { readFile, writeFile } from 'node:fs/promises'
import { expect, inject, test } from 'vitest'
import { useDatabase } from '../support/database.ts'
import { dumpSchema } from './dump-schema.ts'

const database = useDatabase()
const golden = new URL('../schema.sql', import.meta.url)

const head = `-- What the migrations install, told by the server's catalog: for the eye, and for review of what a
-- change makes of it. Bodies of functions stand in sql/. Rewritten, never edited:
-- UPDATE_SCHEMA=1 npx vitest run test/db/schema.pg.test.ts
`

// The golden dump is one of version 18. Other major versions print the same views in other words, and
// 14 has no list of columns in a publication.
const isGoldenVersion = Math.floor(inject('postgres').version / 10_000) === 18

test.skipIf(!isGoldenVersion)('the installed schema is the one in test/schema.sql', async () => {
  const client = await database.client()
  const dump = `${head}\n${await dumpSchema(client, 'tidemark')}`
  if (process.env.UPDATE_SCHEMA === '1') await writeFile(golden, dump)
  expect(dump).toBe(await readFile(golden, 'utf8'))
})

test('every table, view and column of a table has a comment', async () => {
  const { rows } = await database.pool.query<{ name: string }>(/* sql */ `
    select o.identity as name
    from pg_class as c
    cross join lateral (
      select 0 as column
      union all
      select a.attnum
      from pg_attribute as a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind = 'r'
    ) as s
    cross join lateral pg_identify_object('pg_class'::regclass, c.oid, s.column) as o
    where c.relnamespace = 'tidemark'::regnamespace
      and c.relkind in ('r', 'v')
      and c.relname <> 'migrations' -- made by node-pg-migrate
      and not exists (
        select
        from pg_description as d
        where d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = s.column
      )
    order by o.identity`)
  expect(rows.map(({ name }) => name)).toEqual([])
})
