import type pg from 'pg'
import { quoteIdent } from '../../db/quote-ident.ts'

/** A grant on a view, as the statement that gives it again. */
export interface ViewGrant {
  /** Null for a grant on the whole view. */
  readonly column: string | null
  readonly text: string
}

interface GrantRow {
  readonly privilege: string
  readonly grantee: string | null
  readonly option: boolean
  readonly column: string | null
}

/** Reads the grants on a view and on its columns, besides the owner's. */
export async function readGrants(
  client: pg.ClientBase,
  oid: string,
  name: string,
): Promise<readonly ViewGrant[]> {
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
    where g.oid = $1::oid
      and a.grantee <> g.relowner`,
    [oid],
  )
  return rows.map(({ privilege, grantee, option, column }) => {
    const what = column === null ? privilege : `${privilege} (${quoteIdent(column)})`
    const to = grantee === null ? 'public' : quoteIdent(grantee)
    const text = `grant ${what} on ${name} to ${to}${option ? ' with grant option' : ''}`
    return { column, text }
  })
}
