import { type Connection, run } from './queryable.ts'

/** The advisory locks of this database that somebody holds: a row for each holder, with the `key`. */
export const heldLocks = /* sql */ `
  select (l.classid::bigint << 32) | l.objid::bigint as key
  from pg_locks as l
  where l.locktype = 'advisory'
    and l.granted
    and l.objsubid = 1
    and l.database = (select d.oid from pg_database as d where d.datname = current_database())`

/**
 * Tells which advisory locks of this database somebody holds.
 *
 * @param keys as text, as `advisoryLockKey` makes them.
 */
export async function readHeldLocks(
  connection: Connection,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await run<{ key: string }>(connection, {
    text: /* sql */ `
      select k.key::text
      from unnest($1::bigint[]) as k (key)
      join (${heldLocks}) as held on held.key = k.key`,
    values: [keys],
  })
  return new Set(rows.map(({ key }) => key))
}
