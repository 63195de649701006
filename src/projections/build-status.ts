import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { ProjectionState } from './versions.ts'

/** How far a version is built. */
export interface BuildStatus {
  readonly state: ProjectionState
  readonly position: bigint
  readonly head: bigint
  /** Why it stands still; null while it goes on. */
  readonly failure: string | null
}

interface Row {
  readonly state: ProjectionState
  readonly position: string
  readonly head: string
  readonly failure: string | null
}

interface Version {
  readonly name: string
  readonly version: number
}

/** Reads how far a version is built; undefined when there is none, or none any more. */
export async function readBuildStatus(
  connection: Connection,
  names: LogNames,
  version: Version,
): Promise<BuildStatus | undefined> {
  const [row] = await run<Row>(connection, {
    text: /* sql */ `
      select
        p.state,
        s.position::text,
        q.position::text as head,
        case when s.state = 'failed' then s.error ->> 'message' end as failure
      from ${names.schema}.projections as p
      join ${names.schema}.subscriptions as s
        on s.kind = 'projection' and s.name = p.name and s.version = p.version
      cross join ${names.schema}.sequencer as q
      where p.name = $1 and p.version = $2`,
    values: [version.name, version.version],
  })
  if (row === undefined) return undefined
  return { ...row, position: BigInt(row.position), head: BigInt(row.head) }
}

/** Clears a failure, so that the version is tried again. */
export async function reactivate(
  connection: Connection,
  names: LogNames,
  version: Version,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set state = 'active', error = null
      where kind = 'projection' and name = $1 and version = $2 and state = 'failed'`,
    values: [version.name, version.version],
  })
}

/** Says that a version which was building has caught up. Any other state stays. */
export async function markReady(
  connection: Connection,
  names: LogNames,
  version: Version,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.projections
      set state = 'ready', changed_at = clock_timestamp()
      where name = $1 and version = $2 and state = 'building'`,
    values: [version.name, version.version],
  })
}
