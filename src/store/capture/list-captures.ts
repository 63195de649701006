import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { type CaptureArguments, type ColumnFilter, decodeArguments } from './capture-arguments.ts'

/** A table whose changes append events. */
export interface Capture {
  /** The table, with its schema, as SQL writes it. */
  readonly table: string
  readonly category: string
  readonly key: readonly string[]
  readonly filter: ColumnFilter | null
  readonly schemaVersion: number
  /** What keeps it from recording all that happens, and what to do. Empty when all is well. */
  readonly problems: readonly string[]
}

interface Row {
  readonly table: string
  readonly arguments: Buffer
  readonly is_enabled: boolean
  readonly columns: readonly string[]
  readonly virtual: readonly string[]
  readonly exact: readonly string[]
  /** Columns of each unique index, as JSON. */
  readonly unique_keys: readonly string[]
  readonly open_to_truncate: readonly string[]
}

/**
 * Lists the captures of a log. They are nothing but triggers: a dump has them, and a table that is dropped
 * takes its own along.
 */
export async function listCaptures(
  connection: Connection,
  { schema }: LogNames,
): Promise<readonly Capture[]> {
  const rows = await run<Row>(connection, {
    text: listSql,
    values: functionsOf(schema),
  })
  return rows.map((row) => {
    const capture = decodeArguments(row.arguments)
    const { category, key, filter, schemaVersion } = capture
    return {
      table: row.table,
      category,
      key,
      filter,
      schemaVersion,
      problems: findProblems(row, capture),
    }
  })
}

/** Finds the capture of a table. */
export async function findCapture(
  connection: Connection,
  names: LogNames,
  table: string,
): Promise<Capture | undefined> {
  const captures = await listCaptures(connection, names)
  return captures.find((capture) => capture.table === table)
}

/** Reads the arguments of a table's capture. */
export async function readArguments(
  connection: Connection,
  { schema }: LogNames,
  table: string,
): Promise<CaptureArguments | undefined> {
  const rows = await run<Row>(connection, {
    text: listSql,
    values: functionsOf(schema),
  })
  const row = rows.find((one) => one.table === table)
  return row === undefined ? undefined : decodeArguments(row.arguments)
}

/** Those of the triggers, in the order of the statement's parameters. */
function functionsOf(schema: string): readonly string[] {
  const names = ['capture_row', 'capture_truncate', 'hand_over_row', 'hand_over_rows']
  return names.map((name) => `${schema}.${name}`)
}

function findProblems(row: Row, { key, filter, exact }: CaptureArguments): readonly string[] {
  const lacks = (names: readonly string[]) => names.filter((name) => !row.columns.includes(name))
  const inexact = row.exact.filter((name) => !exact.includes(name) && isRecorded(name, filter))
  const unseen = row.virtual.filter((name) => filter?.columns.includes(name) !== true)
  const goneKey = lacks(key)
  const gone = lacks(filter?.columns ?? [])
  return [
    ...(row.is_enabled ? [] : ['its trigger is disabled: nothing is recorded']),
    ...goneKey.map((name) => `its key has no column "${name}" any more: capture it again`),
    ...(goneKey.length > 0 || row.unique_keys.some((columns) => isSameSet(JSON.parse(columns), key))
      ? []
      : ['no unique index is on its key any more: rows may share a stream']),
    ...gone.map(
      (name) =>
        `column "${name}" of its filter is not there any more` +
        (filter?.mode === 'except' ? ', so that new columns are not recorded' : '') +
        ': capture it again',
    ),
    ...inexact.map(
      (name) => `numbers of column "${name}" are not recorded as texts: capture it again`,
    ),
    ...unseen.map(
      (name) => `column "${name}" is virtual, which triggers do not see: capture it again`,
    ),
    ...row.open_to_truncate.map(
      (leaf) => `truncate of ${leaf} alone is not recorded: capture it again`,
    ),
  ]
}

function isSameSet(columns: readonly string[], others: readonly string[]): boolean {
  return columns.length === others.length && others.every((name) => columns.includes(name))
}

function isRecorded(name: string, filter: ColumnFilter | null): boolean {
  return filter === null || (filter.mode === 'columns') === filter.columns.includes(name)
}

const listSql = /* sql */ `
  select
    format('%I.%I', n.nspname, c.relname) as table,
    t.tgargs as arguments,
    t.tgenabled = 'A' and exists (
      select
      from pg_trigger as u
      where u.tgrelid = c.oid
        and u.tgfoid = $3::regproc
        and u.tgenabled = 'A'
    ) as is_enabled,
    a.columns,
    a.virtual,
    a.exact,
    array(
      select (
        select json_agg(k.attname)::text
        from pg_attribute as k
        where k.attrelid = c.oid and k.attnum = any (i.indkey[0:i.indnkeyatts - 1])
      )
      from pg_index as i
      where i.indrelid = c.oid
        and i.indisunique
        and i.indisvalid
        and i.indpred is null
        and i.indexprs is null
    ) as unique_keys,
    array(
      select format('%I.%I', pn.nspname, p.relname)
      from pg_class as p
      join pg_namespace as pn on pn.oid = p.relnamespace
      where 2 > (
        select count(*)
        from pg_trigger as u
        where u.tgrelid = p.oid
          and u.tgfoid in ($2::regproc, $4::regproc)
          and u.tgenabled = 'A'
      )
        and p.relkind = 'r'
        and (
          p.oid = c.oid
          or c.relkind = 'p' and p.oid in (select l.relid from pg_partition_tree(c.oid) as l)
        )
    ) as open_to_truncate
  from pg_trigger as t
  join pg_class as c on c.oid = t.tgrelid
  join pg_namespace as n on n.oid = c.relnamespace
  cross join lateral (
    select
      array_agg(a.attname::text order by a.attnum) as columns,
      coalesce(
        array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated::text = 'v'), '{}'
      ) as virtual,
      coalesce(
        array_agg(a.attname::text order by a.attnum) filter (
          where coalesce(nullif(y.typbasetype, 0), y.oid) in ('bigint'::regtype, 'numeric'::regtype)
        ),
        '{}'
      ) as exact
    from pg_attribute as a
    join pg_type as y on y.oid = a.atttypid
    where a.attrelid = c.oid
      and a.attnum > 0
      and not a.attisdropped
  ) as a
  where t.tgfoid = $1::regproc
    and t.tgparentid = 0
    and not t.tgisinternal
  order by 1`
