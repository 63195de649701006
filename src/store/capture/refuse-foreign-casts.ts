import type pg from 'pg'
import { notCapturable, type TableFacts } from './captured-table.ts'

/**
 * Refuses a table of which a value cannot be read without running what belongs to somebody else: a cast to json
 * or text, of the type of a column or of a part of it. Triggers run it with the rights of who changes the
 * table; a snapshot would with those of the log's owner. A superuser's casts are trusted, as those of extensions.
 *
 * @throws TABLE_NOT_CAPTURABLE
 */
export async function refuseForeignCasts(client: pg.ClientBase, table: TableFacts): Promise<void> {
  const { rows } = await client.query<{ cast: string; owner: string }>(
    /* sql */ `
    with recursive types (id) as (
      select a.atttypid
      from pg_attribute as a
      where a.attrelid = $1
        and a.attnum > 0
        and not a.attisdropped
      union
      select p.id
      from types as w
      join pg_type as t on t.oid = w.id
      cross join lateral (
        values (t.typelem), (t.typbasetype)
        union all
        select a.atttypid
        from pg_attribute as a
        where a.attrelid = t.typrelid
          and a.attnum > 0
          and not a.attisdropped
      ) as p (id)
      where p.id <> 0
    )
    select format('%s as %s', c.castsource::regtype, c.casttarget::regtype) as cast,
      r.rolname as owner
    from types as w
    join pg_cast as c on c.castsource = w.id
    join pg_proc as f on f.oid = c.castfunc
    join pg_roles as r on r.oid = f.proowner
    where c.casttarget in ('json'::regtype, 'text'::regtype)
      and not r.rolsuper
      and r.rolname <> current_user`,
    [table.oid],
  )
  const [first] = rows
  if (first === undefined) return
  throw notCapturable(
    table.sqlName,
    `its rows cannot be read without running the cast from ${first.cast} of "${first.owner}", with your rights`,
  )
}
