import { type Connection, run } from './queryable.ts'

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
      join pg_locks as l
        on l.locktype = 'advisory'
        and l.granted
        and l.objsubid = 1
        and (l.classid::bigint << 32) | l.objid::bigint = k.key
      join pg_database as d
        on d.oid = l.database
        and d.datname = current_database()`,
    values: [keys],
  })
  return new Set(rows.map(({ key }) => key))
}
