import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { ProjectionState } from './versions.ts'

/** How far a version is built. */
export interface BuildStatus {
  readonly state: ProjectionState
  /** After which position its events begin; 0: it has the whole log. */
  readonly startPosition: bigint
  /** Where it is; of several partitions the slowest. */
  readonly position: bigint
  /** How many events its partitions have passed on average. */
  readonly passed: bigint
  /** Whether it has the number of partitions that it is to have. */
  readonly isDivided: boolean
  readonly head: bigint
  /** Whether its indexes are being made, which comes after the events. */
  readonly isIndexing: boolean
  /** Why it stands still; null while it goes on. */
  readonly failure: BuildFailure | null
}

export interface BuildFailure {
  readonly code: string
  readonly message: string
}

interface Row {
  readonly state: ProjectionState
  readonly start_position: string
  readonly position: string
  readonly passed: string
  readonly is_divided: boolean
  readonly head: string
  readonly is_indexing: boolean
  readonly failure: BuildFailure | null
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
        p.start_position::text,
        case when s.is_inline then q.position else s.position end::text as position,
        s.passed::text,
        s.partitions = p.partitions as is_divided,
        q.position::text as head,
        exists (
          select
          from pg_stat_progress_create_index as i
          join pg_class as c on c.oid = i.relid
          join pg_namespace as n on n.oid = c.relnamespace
          where i.datname = current_database() and n.nspname = p.schema_name
        ) as is_indexing,
        s.failure
      from ${names.schema}.projections as p
      cross join lateral (
        select
          min(position) as position,
          trunc(avg(position))::bigint as passed,
          max(partitions) as partitions,
          bool_or(state = 'inline') as is_inline,
          (array_agg(error order by partition) filter (where state = 'failed'))[1] as failure
        from ${names.schema}.subscriptions
        where kind = 'projection' and name = p.name and version = p.version
      ) as s
      cross join ${names.schema}.sequencer as q
      where p.name = $1 and p.version = $2 and s.partitions is not null`,
    values: [version.name, version.version],
  })
  if (row === undefined) return undefined
  const { state, position, head, is_divided, is_indexing, failure } = row
  return {
    state,
    startPosition: BigInt(row.start_position),
    position: BigInt(position),
    passed: BigInt(row.passed),
    isDivided: is_divided,
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
      where (kind, name, version, partition) in (
        select kind, name, version, partition
        from ${names.schema}.subscriptions
        where kind = 'projection' and name = $1 and version = $2 and state = 'failed'
        order by partition
        for update
      )`,
    values: [version.name, version.version],
  })
}
