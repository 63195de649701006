import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** Exact number of events that a version, or the slowest of its partitions, has not passed yet. */
export async function projectionLag(
  connection: Connection,
  names: LogNames,
  version: { readonly name: string; readonly version: number },
): Promise<bigint> {
  const rows = await run<{ lag: string }>(connection, {
    text: /* sql */ `
      select coalesce(max(q.position - s.position) filter (where s.state <> 'inline'), 0)::text as lag
      from ${names.schema}.subscriptions as s
      cross join ${names.schema}.sequencer as q
      where s.kind = 'projection' and s.name = $1 and s.version = $2`,
    values: [version.name, version.version],
  })
  return BigInt(rows[0]?.lag ?? 0)
}
