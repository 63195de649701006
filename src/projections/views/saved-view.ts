import type pg from 'pg'
import { quoteIdent } from '../../db/quote-ident.ts'
import { readGrants } from './view-grants.ts'

/** A view with all that it has besides its columns, to be made again. */
export interface SavedView {
  /** Qualified and quoted. */
  readonly name: string
  readonly query: string
  /** As in `with (…)`; empty when it has none. */
  readonly options: string
  /** What it has that is lost with it and cannot be made again; null when nothing. */
  readonly obstacle: string | null
  /** Statements that give it back its owner, grants and comments. Only what concerns kept columns. */
  dress(kept: (column: string) => boolean): readonly string[]
}

interface Row {
  readonly oid: string
  readonly name: string
  readonly query: string
  readonly options: readonly string[] | null
  readonly owner: string | null
  readonly comment: string | null
  readonly comments: readonly { readonly column: string; readonly text: string }[]
  readonly obstacle: string | null
  readonly strangers: readonly (string | null)[]
}

/** Reads views as they are, in the order given. Their queries name everything with its schema. */
export async function saveViews(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<readonly SavedView[]> {
  if (oids.length === 0) return []
  await client.query('set local search_path = pg_catalog')
  const { rows } = await client.query<Row>(
    /* sql */ `
    select
      c.oid::text as oid,
      format('%I.%I', n.nspname, c.relname) as name,
      rtrim(pg_get_viewdef(c.oid), E'; \\n') as query,
      c.reloptions as options,
      case when c.relowner <> u.oid then pg_get_userbyid(c.relowner)::text end as owner,
      obj_description(c.oid, 'pg_class') as comment,
      array(
        select json_build_object('column', a.attname, 'text', d.description)
        from pg_description as d
        join pg_attribute as a on a.attrelid = d.objoid and a.attnum = d.objsubid
        where d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid > 0
        order by a.attnum
      ) as comments,
      case
        when exists (select from pg_trigger as t where t.tgrelid = c.oid and not t.tgisinternal)
          then 'a trigger'
        when exists (select from pg_rewrite as r where r.ev_class = c.oid and r.ev_type <> '1')
          then 'a rule'
        when exists (select from pg_attrdef as d where d.adrelid = c.oid)
          then 'a default of a column'
        when exists (
          select
          from pg_seclabel as l
          where l.classoid = 'pg_class'::regclass and l.objoid = c.oid
        )
          then 'a security label'
      end as obstacle,
      array(
        select distinct r.rolname::text
        from pg_default_acl as f
        cross join lateral aclexplode(f.defaclacl) as a
        left join pg_roles as r on r.oid = a.grantee
        where f.defaclrole = u.oid
          and f.defaclobjtype = 'r'
          and f.defaclnamespace in (0, c.relnamespace)
          and a.grantee <> u.oid
      ) as strangers
    from unnest($1::oid[]) with ordinality as v (oid, n)
    join pg_class as c on c.oid = v.oid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_roles as u on u.rolname = current_user
    order by v.n`,
    [oids],
  )
  const saved: SavedView[] = []
  for (const row of rows) saved.push(await toSavedView(client, row))
  return saved
}

async function toSavedView(client: pg.ClientBase, row: Row): Promise<SavedView> {
  const { oid, name, query, owner, comment, comments, obstacle, strangers } = row
  const grants = await readGrants(client, oid, name)
  return {
    name,
    query,
    options: optionsText(row.options ?? []),
    obstacle,
    dress: (kept) => [
      // What default privileges give to each new view, this one may not have had.
      ...strangers.map((role) => `revoke all on ${name} from ${grantee(role)}`),
      ...(owner === null ? [] : [`alter view ${name} owner to ${quoteIdent(owner)}`]),
      ...grants.filter(({ column }) => column === null || kept(column)).map(({ text }) => text),
      ...(comment === null ? [] : [`comment on view ${name} is ${literal(comment)}`]),
      ...comments
        .filter(({ column }) => kept(column))
        .map(
          ({ column, text }) =>
            `comment on column ${name}.${quoteIdent(column)} is ${literal(text)}`,
        ),
    ],
  }
}

/** `{security_barrier=true}` as ` with ("security_barrier" = 'true')`. */
function optionsText(options: readonly string[]): string {
  if (options.length === 0) return ''
  const list = options.map((option) => {
    const at = option.indexOf('=')
    return `${quoteIdent(option.slice(0, at))} = ${literal(option.slice(at + 1))}`
  })
  return ` with (${list.join(', ')})`
}

function grantee(role: string | null): string {
  return role === null ? 'public' : quoteIdent(role)
}

/** Writes a text as a constant, whatever `standard_conforming_strings` says. */
export function literal(text: string): string {
  const quotedText = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? ` E${quotedText}` : quotedText
}
