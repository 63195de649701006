import type pg from 'pg'
import type { LogNames } from './log-names.ts'
import { readSqlPrivileges } from './sql-files.ts'

interface PrivilegeRow {
  readonly grantee: string
  readonly privileges: string
}

/**
 * Grants on a log exactly what its roles are to have, in the caller's transaction. What else they
 * were granted in its schema is revoked. Every grant writes the catalog, also one that changes nothing;
 * so when nothing has changed in the end, it is undone.
 *
 * @param roles those that exist.
 * @returns the grantees whose privileges changed: roles of the log, or `public`.
 */
export async function applyPrivileges(
  client: pg.ClientBase,
  names: LogNames,
  roles: readonly string[],
): Promise<readonly string[]> {
  const grantees = ['public', ...roles]
  await client.query('savepoint privileges')
  const before = await readPrivileges(client, names, grantees)
  for (const { grantee, text } of await readSqlPrivileges(names)) {
    if (grantees.includes(grantee)) await client.query(text)
  }
  const after = await readPrivileges(client, names, grantees)
  const changed = grantees.filter((grantee) => before.get(grantee) !== after.get(grantee))
  if (changed.length === 0) await client.query('rollback to savepoint privileges')
  return changed
}

/** Reads, for each grantee that has any, its privileges on what is in the schema, as a text. */
async function readPrivileges(
  client: pg.ClientBase,
  { schema }: LogNames,
  grantees: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<PrivilegeRow>(
    /* sql */ `
    select
      g.grantee,
      string_agg(g.privilege, ', ' order by g.privilege) as privileges
    from (
      select
        coalesce(r.rolname::text, 'public') as grantee,
        format('%s on %s %s %s', a.privilege_type, o.kind, o.oid, o.part) as privilege
      from (
        select 'schema' as kind, n.oid, 0 as part, n.nspacl as acl
        from pg_namespace as n
        where n.nspname = $1
        union all
        select 'relation', c.oid, 0, c.relacl
        from pg_class as c
        where c.relnamespace = $1::regnamespace
        union all
        select 'relation', c.oid, t.attnum, t.attacl
        from pg_class as c
        join pg_attribute as t on t.attrelid = c.oid
        where c.relnamespace = $1::regnamespace
        union all
        select 'function', p.oid, 0, coalesce(p.proacl, acldefault('f', p.proowner))
        from pg_proc as p
        where p.pronamespace = $1::regnamespace
      ) as o
      cross join lateral aclexplode(o.acl) as a
      left join pg_roles as r on r.oid = a.grantee
    ) as g
    where g.grantee = any ($2)
    group by g.grantee`,
    [schema, grantees],
  )
  return new Map(rows.map((row) => [row.grantee, row.privileges]))
}
