import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { AnyProjection } from '../projection.ts'

/**
 * Notes which event types a version reads, for who makes it inline. Not once it is: those that appends
 * have to apply stay as they were.
 */
export async function recordEventTypes(
  connection: Connection,
  { schema }: LogNames,
  { name, version, registry }: AnyProjection,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${schema}.projections as p
      set event_types = $3
      where p.name = $1
        and p.version = $2
        and p.event_types is distinct from $3
        and not exists (
          select
          from ${schema}.inline_projections as i
          where i.name = p.name and i.version = p.version
        )`,
    values: [name, version, [...registry.types].sort()],
  })
}
