import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { maxPartitions } from '../../subscriptions/partitions/partition.ts'
import { foreignKeysOf } from './foreign-keys.ts'
import type { Table, Tables } from './table.ts'

const reason =
  'partitions stand at different positions, so that of what belongs together one half may not be there yet'

/**
 * Tells why tables cannot be filled by so many partitions; undefined when they can. A row and one that it
 * refers to, and the two rows between which a unique value moves, may belong to different ones.
 */
export function faultOfPartitions(tables: Tables, partitions: number): string | undefined {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > maxPartitions) {
    return `partitions ${partitions} is not a whole number from 1 to ${maxPartitions}`
  }
  if (partitions === 1) return undefined
  const [key] = foreignKeysOf(tables)
  if (key !== undefined) {
    return `it cannot be partitioned with the foreign key "${key.name}": ${reason}`
  }
  const unique = Object.entries(tables).find(([, table]) => isUniqueBesidesKey(table))
  if (unique === undefined) return undefined
  return `it cannot be partitioned with the unique columns of table "${unique[0]}": ${reason}`
}

function isUniqueBesidesKey({ columns, options = {} }: Table): boolean {
  return (
    Object.values(columns).some(({ spec }) => spec.isUnique) ||
    Object.keys(options.unique ?? {}).length > 0 ||
    Object.values(options.indexes ?? {}).some((index) => 'on' in index && index.unique === true)
  )
}

/**
 * Refuses partitions for tables that have, as they are in the database, unique constraints besides their
 * keys, foreign keys or exclusions.
 *
 * @throws DEFINITION_INVALID
 */
export async function requirePartitionable(
  client: pg.ClientBase,
  projection: string,
  schemaName: string,
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    /* sql */ `
    select k.conname::text as name
    from pg_constraint as k
    where k.connamespace = (select n.oid from pg_namespace as n where n.nspname = $1)
      and k.contype in ('f', 'x', 'u')
    union all
    select c.relname::text
    from pg_index as i
    join pg_class as c on c.oid = i.indexrelid
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1
      and i.indisunique
      and not i.indisprimary
      and not exists (
        select
        from pg_constraint as k
        where k.conindid = i.indexrelid
      )
    order by 1
    limit 1`,
    [schemaName],
  )
  const [found] = rows
  if (found === undefined) return
  const text = `it cannot be partitioned with "${found.name}": ${reason}`
  throw new TidemarkError('DEFINITION_INVALID', `projection "${projection}": ${text}`, {
    details: { name: projection, reason: text },
  })
}
