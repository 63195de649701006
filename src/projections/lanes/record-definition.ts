import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { AnyProjection } from '../projection.ts'

/**
 * Notes which event types a version reads, and whether appends can apply it, for who makes it inline. Not
 * once it is: what appends have to apply stays as it was.
 */
export async function recordDefinition(
  connection: Connection,
  { schema }: LogNames,
  { name, version, registry, canBeInline }: AnyProjection,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${schema}.projections as p
      set event_types = $3, can_be_inline = $4
      where p.name = $1
        and p.version = $2
        and (p.event_types is distinct from $3 or p.can_be_inline <> $4)
        and not exists (
          select
          from ${schema}.inline_projections as i
          where i.name = p.name and i.version = p.version
        )`,
    values: [name, version, [...registry.types].sort(), canBeInline],
  })
}
