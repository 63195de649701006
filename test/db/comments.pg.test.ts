import { expect, test } from 'vitest'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()

test('every table, view, column, type and function tells psql what it is', async () => {
  const { rows } = await database.pool.query(/* sql */ `
    select format('%s %s', c.relkind, c.relname) as undescribed
    from pg_class as c
    where c.relnamespace = 'tidemark'::regnamespace
      and c.relkind in ('r', 'v', 'c')
      and c.relname <> 'migrations'
      and coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')) is null
    union all
    select format('column %s.%s', c.relname, a.attname)
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'tidemark'::regnamespace
      and c.relkind = 'r'
      and c.relname <> 'migrations'
      and col_description(c.oid, a.attnum) is null
    union all
    select format('function %s', p.oid::regprocedure)
    from pg_proc as p
    where p.pronamespace = 'tidemark'::regnamespace
      and obj_description(p.oid, 'pg_proc') is null`)
  expect(rows).toEqual([])
})

test('a function is described by the head of its file', async () => {
  const { rows } = await database.pool.query(
    `select obj_description('tidemark.stream_lock_key(text)'::regprocedure, 'pg_proc') as comment`,
  )
  expect(rows[0].comment).toMatch(
    /^Gives the advisory lock on which writers .*\nthen their .*\n\nstream_id: the stream\nreturns: /,
  )
})
