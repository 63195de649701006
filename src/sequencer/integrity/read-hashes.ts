import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** An event's hash at a position, and what to call the event. */
export interface HashedEvent {
  readonly position: bigint
  readonly insertId: string
  readonly hash: Buffer
  readonly streamId: string
  readonly version: bigint
  /** Last position of the commit that the ledger says it belongs to. */
  readonly commitEnd: bigint
}

export interface HashRange {
  readonly after: bigint
  readonly upto: bigint
  /** `insertId` of the event at `after`: a hint for commits that began before it. */
  readonly afterInsertId?: string | null
}

interface Row {
  readonly position: string
  readonly insert_id: string
  readonly hash: string
  readonly stream_id: string
  readonly version: string
  readonly commit_end: string
}

/**
 * Hashes the events that the ledger places in a range of positions, in the order of the ledger. An
 * event that is missing leaves no row; one too many has the position of another or lies beyond the
 * range. Hashing happens in the server, so that 32 bytes an event travel, whatever its size.
 *
 * The statement says the same as the function `hash_events`, with which events are sealed, but reads
 * only tables and calls only what Postgres brings: who can change events can also replace functions.
 * Run it with `search_path` set to `pg_catalog`.
 */
export async function readHashes(
  connection: Connection,
  names: LogNames,
  range: HashRange,
): Promise<readonly HashedEvent[]> {
  const rows = await run<Row>(connection, {
    name: `tidemark-hashes-${names.schema}`,
    text: hashesOf(names.schema),
    values: [`${range.after}`, `${range.upto}`, range.afterInsertId ?? null],
  })
  return rows.map((row) => ({
    position: BigInt(row.position),
    insertId: row.insert_id,
    hash: Buffer.from(row.hash, 'hex'),
    streamId: row.stream_id,
    version: BigInt(row.version),
    commitEnd: BigInt(row.commit_end),
  }))
}

const hashesOf = (schema: string) => /* sql */ `
  select
    (c.first_position + e.rank - 1)::text as position,
    e.insert_id::text,
    e.stream_id,
    e.version::text,
    c.position::text as commit_end,
    encode(sha256(convert_to(
      json_build_array(
        c.first_position + e.rank - 1,
        e.stream_id,
        e.version,
        e.event_id,
        e.type,
        e.schema_version,
        e.data,
        e.metadata,
        e.tags,
        trunc(extract(epoch from e.recorded_at) * 1000000),
        trunc(extract(epoch from c.committed_at) * 1000000),
        e.incarnation,
        e.transaction_id::text
      )::text,
      'UTF8'
    )), 'hex') as hash
  from (
    select
      commits.*,
      greatest(commits.position - commits.event_count, $1::bigint) + 1 as first_position,
      least(commits.position, $2::bigint) as last_position,
      commits.position - commits.event_count < $1::bigint as is_begun
    from ${schema}.commits
    where commits.position > $1::bigint
      and commits.position <= (
        select coalesce(min(l.position), $2::bigint)
        from ${schema}.commits as l
        where l.position >= $2::bigint
      )
    order by commits.position
  ) as c
  cross join lateral (
    select p.*, row_number() over (order by p.insert_id) as rank
    from (
      select events.*
      from ${schema}.events
      where events.incarnation = c.incarnation
        and events.transaction_id = c.transaction_id
        and events.insert_id > case
          when c.is_begun and $3::bigint is not null then $3::bigint
          else '-9223372036854775808'
        end
      order by events.insert_id
      offset case
        when c.is_begun and $3::bigint is null then $1::bigint - (c.position - c.event_count)
        else 0
      end
      limit c.last_position - c.first_position + 1 + (c.position <= $2::bigint)::integer
    ) as p
  ) as e
  order by c.position, e.rank`
