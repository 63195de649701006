import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** How many instances of a process are under way. Those that are over are not counted. */
export interface ProcessStatus {
  readonly name: string
  readonly running: number
  readonly compensating: number
  /** Those that somebody has to see to. */
  readonly stuck: number
}

/** Counts the instances that are not over, by process; of those alone that have some. */
export async function countInstances(
  connection: Connection,
  names: LogNames,
): Promise<readonly ProcessStatus[]> {
  return run<ProcessStatus>(connection, {
    text: /* sql */ `
      select
        process as name,
        (count(*) filter (where state = 'running'))::integer as running,
        (count(*) filter (where state = 'compensating'))::integer as compensating,
        (count(*) filter (where state = 'stuck'))::integer as stuck
      from ${names.schema}.process_instances
      where state in ('running', 'compensating', 'stuck')
      group by process
      order by process`,
  })
}
