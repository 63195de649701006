import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** A commit of the ledger, held against its neighbour and its events. */
export interface LedgerCommit {
  /** Position of the commit's last event. */
  readonly position: bigint
  readonly eventCount: bigint
  /** Position at which the commit before ends. */
  readonly before: bigint
  /** Events that the table holds of this transaction. */
  readonly held: bigint
}

export interface LedgerCheck {
  /** Commits that do not follow the one before, or have another number of events, in order. */
  readonly faults: readonly LedgerCommit[]
  /** End of the last commit that was looked at; `after` when there is none. */
  readonly reached: bigint
}

interface Row {
  readonly position: string
  readonly event_count: string
  readonly before: string
  readonly held: string
  readonly is_fault: boolean
}

/**
 * Holds the commits that cover a range of positions against the one before each and against the
 * table of events.
 */
export async function readLedgerFaults(
  connection: Connection,
  names: LogNames,
  range: { readonly after: bigint; readonly upto: bigint },
): Promise<LedgerCheck> {
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select f.position::text, f.event_count::text, f.before::text, f.held::text, f.is_fault
      from (
        select
          c.*,
          e.held,
          c.position - c.event_count <> c.before or e.held <> c.event_count as is_fault,
          c.position = max(c.position) over () as is_last
        from (
          select
            commits.*,
            coalesce(
              lag(commits.position) over (order by commits.position),
              (select max(b.position) from ${names.schema}.commits as b where b.position <= $1),
              0
            ) as before
          from ${names.schema}.commits
          where commits.position > $1
            and commits.position <= (
              select coalesce(min(l.position), $2)
              from ${names.schema}.commits as l
              where l.position >= $2
            )
        ) as c
        cross join lateral (
          select count(*) as held
          from ${names.schema}.events
          where events.incarnation = c.incarnation
            and events.transaction_id = c.transaction_id
        ) as e
      ) as f
      where f.is_fault
        or f.is_last
      order by f.position`,
    values: [range.after.toString(), range.upto.toString()],
  })
  return {
    faults: rows.filter((row) => row.is_fault).map(toCommit),
    reached: BigInt(rows.at(-1)?.position ?? range.after),
  }
}

function toCommit(row: Row): LedgerCommit {
  return {
    position: BigInt(row.position),
    eventCount: BigInt(row.event_count),
    before: BigInt(row.before),
    held: BigInt(row.held),
  }
}
