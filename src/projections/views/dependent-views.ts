import type pg from 'pg'
import { type SavedView, saveViews } from './saved-view.ts'

/**
 * Reads the views that depend on some views, on those and so on, in an order in which they can be made:
 * each after those that it depends on. Temporary ones are not among them, nor materialized views.
 */
export async function readDependents(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<readonly SavedView[]> {
  if (oids.length === 0) return []
  const { rows } = await client.query<{ oid: string }>(
    /* sql */ `
    with recursive found (oid, depth) as (
      select v.oid, 0
      from unnest($1::oid[]) as v (oid)
      union
      select r.ev_class, f.depth + 1
      from found as f
      left join pg_type as t on t.typrelid = f.oid
      join pg_depend as d
        on (d.refclassid = 'pg_class'::regclass and d.refobjid = f.oid)
        or (d.refclassid = 'pg_type'::regclass and d.refobjid in (t.oid, t.typarray))
      join pg_rewrite as r
        on d.classid = 'pg_rewrite'::regclass
        and r.oid = d.objid
        and r.ev_class <> f.oid
      join pg_class as c on c.oid = r.ev_class
      where c.relkind = 'v' and c.relpersistence = 'p'
    )
    select f.oid::text
    from found as f
    where f.oid <> all ($1::oid[])
    group by f.oid
    order by max(f.depth), f.oid`,
    [oids],
  )
  return saveViews(
    client,
    rows.map(({ oid }) => oid),
  )
}
