import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { ProjectionState } from './versions.ts'

/** How far a version is built. */
export interface BuildStatus {
  readonly state: ProjectionState
  readonly position: bigint
  readonly head: bigint
  /** Whether its indexes are being made, which comes after the events. */
  readonly isIndexing: boolean
  /** Why it stands still; null while it goes on. */
  readonly failure: string | null
}

interface Row {
  readonly state: ProjectionState
  readonly position: string
  readonly head: string
  readonly is_indexing: boolean
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
        case s.state when 'inline' then q.position else s.position end::text as position,
        q.position::text as head,
        exists (
          select
          from pg_stat_progress_create_index as i
          join pg_class as c on c.oid = i.relid
          join pg_namespace as n on n.oid = c.relnamespace
          where i.datname = current_database() and n.nspname = p.schema_name
        ) as is_indexing,
        case when s.state = 'failed' then s.error ->> 'message' end as failure
      from ${names.schema}.projections as p
      join ${names.schema}.subscriptions as s
        on s.kind = 'projection' and s.name = p.name and s.version = p.version
      cross join ${names.schema}.sequencer as q
      where p.name = $1 and p.version = $2`,
    values: [version.name, version.version],
  })
  if (row === undefined) return undefined
  const { state, position, head, is_indexing, failure } = row
  return {
    state,
    position: BigInt(position),
    head: BigInt(head),
    isIndexing: is_indexing,
    failure,
  }
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
