import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import type { ProjectionState } from './versions.ts'

/** Into how many partitions a version is divided, and how far the slowest of them is. */
export interface Division {
  readonly state: ProjectionState
  readonly partitions: number
  /** How many it is to have: while it is built it may have others. */
  readonly wanted: number
  /** Whether another number is asked for and waits until all stand at one position. */
  readonly isChanging: boolean
  /** Events that the slowest has not passed yet. */
  readonly lag: bigint
}

interface Row {
  readonly state: ProjectionState
  readonly partitions: number
  readonly wanted: number
  readonly is_changing: boolean
  readonly lag: string
}

/** Reads how a version is divided; undefined when there is none. */
export async function readDivision(
  connection: Connection,
  names: LogNames,
  { name, version }: { readonly name: string; readonly version: number },
): Promise<Division | undefined> {
  const [row] = await run<Row>(connection, {
    text: /* sql */ `
      select p.state, s.partitions, p.partitions as wanted, s.is_changing,
        case when s.is_inline then 0 else q.position - s.position end::text as lag
      from ${names.schema}.projections as p
      cross join lateral (
        select min(position) as position, max(partitions) as partitions,
          bool_or(halt_at is not null) as is_changing, bool_or(state = 'inline') as is_inline
        from ${names.schema}.subscriptions
        where kind = 'projection' and name = p.name and version = p.version
      ) as s
      cross join ${names.schema}.sequencer as q
      where p.name = $1 and p.version = $2 and s.partitions is not null`,
    values: [name, version],
  })
  if (row === undefined) return undefined
  const { state, partitions, wanted, is_changing: isChanging } = row
  return { state, partitions, wanted, isChanging, lag: BigInt(row.lag) }
}
