import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** Events of one transaction that no row of the ledger covers. */
export interface UncoveredCommit {
  readonly incarnation: number
  readonly transactionId: string
  readonly eventCount: bigint
  /** Its first event. */
  readonly streamId: string
  readonly version: bigint
  /**
   * Whether no sequencer will ever come to it: they are past this transaction, or the row names a
   * transaction that has not even committed. Otherwise its turn may only not have come.
   */
  readonly isSkipped: boolean
}

interface Row {
  readonly incarnation: number
  readonly transaction_id: string
  readonly event_count: string
  readonly stream_id: string
  readonly version: string
  readonly is_skipped: boolean
}

/**
 * A few large commits make the server expect a handful of transactions where there are thousands, and
 * join them by nested loops: 187 s for 150,000 events, 0.3 s without (2026-11-21). Where no other
 * join is possible it still uses them.
 */
export const withoutNestedLoops = 'set local enable_nestloop = off'

/** Tells whether a snapshot sees events or messages that have no position and may still get one. */
export async function hasUncovered(
  connection: Connection,
  names: LogNames,
  seenBy: string,
): Promise<boolean> {
  const [row] = await run<{ has: boolean }>(connection, {
    text: /* sql */ `
      select exists (
        select
        from ${names.schema}.events as e
        cross join ${names.schema}.sequencer as s
        where (e.incarnation, e.transaction_id) >= (s.low_incarnation, s.low_xid)
          and (
            e.incarnation < s.incarnation
            or pg_visible_in_snapshot(e.transaction_id, $1::pg_snapshot)
          )
          and not exists (
            select
            from ${names.schema}.commits as c
            where c.incarnation = e.incarnation
              and c.transaction_id = e.transaction_id
              -- Implied; so that nobody reads the whole ledger for it.
              and (c.incarnation, c.transaction_id) >= (s.low_incarnation, s.low_xid)
          )
      ) or exists (
        select
        from ${names.schema}.outbox as o
        cross join ${names.schema}.sequencer as s
        where (o.incarnation, o.transaction_id) >= (s.low_incarnation, s.low_xid)
          and (
            o.incarnation < s.incarnation
            or pg_visible_in_snapshot(o.transaction_id, $1::pg_snapshot)
          )
          and not exists (
            select
            from ${names.schema}.outbox_commits as c
            where c.incarnation = o.incarnation
              and c.transaction_id = o.transaction_id
              and (c.incarnation, c.transaction_id) >= (s.low_incarnation, s.low_xid)
          )
      ) as has`,
    values: [seenBy],
  })
  return row?.has === true
}

/**
 * Finds committed events that have no position, by joining the two tables. Run it in a transaction
 * {@link withoutNestedLoops}.
 *
 * @param seenBy a snapshot, as text: events that it does not see are left out, because they may be
 *   about to get a position.
 * @param limit transactions that are named at most.
 */
export async function readUncovered(
  connection: Connection,
  names: LogNames,
  seenBy: string,
  limit: number,
): Promise<readonly UncoveredCommit[]> {
  const rows = await run<Row>(connection, {
    text: /* sql */ `
      select
        u.incarnation::integer,
        u.transaction_id::text,
        u.event_count::text,
        f.stream_id,
        f.version::text,
        (u.incarnation, u.transaction_id) < (s.low_incarnation, s.low_xid)
          or s.is_native
            and u.incarnation = s.incarnation
            and not pg_visible_in_snapshot(u.transaction_id, pg_current_snapshot()) as is_skipped
      from (
        -- On another cluster, as after a restore, transaction ids mean nothing until a worker has run.
        select sequencer.*, c.system_identifier = sequencer.system_identifier as is_native
        from ${names.schema}.sequencer
        cross join pg_control_system() as c
      ) as s
      cross join lateral (
        select e.incarnation, e.transaction_id, count(*) as event_count, min(e.insert_id) as first
        from ${names.schema}.events as e
        where not exists (
            select
            from ${names.schema}.commits as c
            where c.incarnation = e.incarnation
              and c.transaction_id = e.transaction_id
          )
          and (
            (e.incarnation, e.transaction_id) < (s.low_incarnation, s.low_xid)
            or e.incarnation < s.incarnation
            or pg_visible_in_snapshot(e.transaction_id, $1::pg_snapshot)
            -- We see the row, so the transaction that wrote it has committed: it names another.
            or s.is_native and not pg_visible_in_snapshot(e.transaction_id, pg_current_snapshot())
          )
        group by e.incarnation, e.transaction_id
        order by e.incarnation, e.transaction_id
        limit $2
      ) as u
      join ${names.schema}.events as f
        on f.incarnation = u.incarnation
        and f.transaction_id = u.transaction_id
        and f.insert_id = u.first
      order by u.incarnation, u.transaction_id`,
    values: [seenBy, limit],
  })
  return rows.map((row) => ({
    incarnation: row.incarnation,
    transactionId: row.transaction_id,
    eventCount: BigInt(row.event_count),
    streamId: row.stream_id,
    version: BigInt(row.version),
    isSkipped: row.is_skipped,
  }))
}
