import type pg from 'pg'
import { quoteIdent } from '../db/quote-ident.ts'

interface GrantRow {
  readonly privilege: string
  readonly grantee: string | null
  readonly option: boolean
  /** Null for a grant on the whole view. */
  readonly column: string | null
}

/**
 * Writes the grants on a view as statements, to be given again when it was made anew.
 *
 * @param kept columns that the new view has; grants on others go with them.
 */
export async function grantsOn(
  client: pg.ClientBase,
  view: string,
  kept: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { rows } = await client.query<GrantRow>(
    /* sql */ `
    select a.privilege_type as privilege, r.rolname::text as grantee, a.is_grantable as option,
      g.column
    from (
      select c.oid, c.relowner, c.relacl as acl, null as column
      from pg_class as c
      union all
      select c.oid, c.relowner, t.attacl, t.attname::text
      from pg_class as c
      join pg_attribute as t on t.attrelid = c.oid
    ) as g
    cross join lateral aclexplode(g.acl) as a
    left join pg_roles as r on r.oid = a.grantee
    where g.oid = $1::regclass
      and a.grantee <> g.relowner`,
    [view],
  )
  return rows
    .filter(({ column }) => column === null || kept.has(column))
    .map(({ privilege, grantee, option, column }) => {
      const what = column === null ? privilege : `${privilege} (${quoteIdent(column)})`
      const to = grantee === null ? 'public' : quoteIdent(grantee)
      return `grant ${what} on ${view} to ${to}${option ? ' with grant option' : ''}`
    })
}
