import { type RawBuilder, sql } from 'kysely'
import type { AnyEventDefinition, EventOf } from '../../core/event.ts'
import type { JsonObject } from '../../core/json.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { positionOf } from '../../core/without-position.ts'
import type { Chunk } from '../../subscriptions/lane.ts'
import { type Partition, whole } from '../../subscriptions/partitions/partition.ts'

/** An event as a row, for SQL. */
export interface BatchEvent<Type extends string = string, Data = unknown> {
  /** Not there for a projection that can be inline: events have no positions then. */
  readonly position: bigint
  /** Orders the events of this call, as their positions do or will. Means nothing else. */
  readonly ordinal: bigint
  readonly stream_id: string
  readonly version: bigint
  readonly event_id: string
  readonly type: Type
  readonly data: Data
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  readonly recorded_at: Date
}

type BatchEventOf<E, I extends boolean> = E extends {
  readonly type: infer Type extends string
  readonly data: infer Data
}
  ? I extends true
    ? Omit<BatchEvent<Type, Data>, 'position'>
    : BatchEvent<Type, Data>
  : never

/**
 * The events of a chunk as a relation, to be used in place of a table: of the given types, or of all that
 * the level reads. Unordered, as every relation: order by `ordinal` where it matters.
 */
export type BatchEvents<D extends AnyEventDefinition, I extends boolean = false> = <
  Type extends EventOf<D>['type'],
>(
  ...types: readonly Type[]
) => RawBuilder<BatchEventOf<Extract<EventOf<D>, { readonly type: Type }>, I>>

/**
 * A relation of the events of a chunk that were fetched and brought to their newest shape. Without the
 * column `position` while they have none, or are not to be told it.
 */
export function fetchedEvents(
  events: readonly SequencedEvent[],
  types: readonly string[],
  hasPositions = true,
): RawBuilder<unknown> {
  const wanted = events.filter(({ type }) => types.includes(type))
  const column = (read: (event: SequencedEvent) => unknown) => sql.val(wanted.map(read))
  const positions = wanted.map((event) => (hasPositions ? positionOf(event) : null))
  const position = !hasPositions || positions.includes(null) ? sql`` : sql`e.position,`
  return sql`(
    select ${position} e.ordinal, e.stream_id, e.version, e.event_id, e.type, e.data::jsonb as data,
      e.metadata::jsonb as metadata,
      array(select jsonb_array_elements_text(e.tags::jsonb)) as tags, e.recorded_at
    from unnest(
      ${sql.val(positions.map((place) => place?.toString() ?? null))}::bigint[],
      ${column(({ streamId }) => streamId)}::text[],
      ${column(({ version }) => `${version}`)}::bigint[],
      ${column(({ id }) => id)}::uuid[],
      ${column(({ type }) => type)}::text[],
      ${column(({ data }) => JSON.stringify(data))}::text[],
      ${column(({ metadata }) => JSON.stringify(metadata))}::text[],
      ${column(({ tags }) => JSON.stringify(tags))}::text[],
      ${column(({ recordedAt }) => recordedAt.toISOString())}::timestamptz[]
    ) with ordinality as e (
      position, stream_id, version, event_id, type, data, metadata, tags, recorded_at, ordinal
    )
  )`
}

/** A relation of events that this transaction has appended and that stay in the server. */
export function appendedEvents(
  logSchema: string,
  insertIds: readonly string[],
  types: readonly string[],
): RawBuilder<unknown> {
  const schema = sql.id(logSchema)
  return sql`(
    select e.insert_id as ordinal, e.stream_id, e.version, e.event_id, e.type, e.data, e.metadata, e.tags,
      e.recorded_at
    from ${schema}.events as e
    where e.incarnation = (select q.incarnation from ${schema}.sequencer as q)
      and e.transaction_id = pg_current_xact_id()
      and e.insert_id = any (${[...insertIds]}::bigint[])
      and e.type = any (${[...types]}::text[])
  )`
}

/**
 * A relation of the events of a chunk that stay in the server, as they are stored: for types that have
 * one schema version alone. An event of another one fails the statement (TM012), and so does a commit of
 * which the table holds more or fewer events than the ledger promises (TM006).
 *
 * Not by `read_log`, except for parts of one large commit: as a function it would write all of its rows
 * down first, and a statement over them took 2.5 times as long (bench/projection-batch.ts, 2026-11-22).
 * Nothing here asks for a position, so that the server numbers no events for a statement that does not
 * either.
 */
export function storedEvents(
  logSchema: string,
  { after, upto }: Chunk,
  types: readonly string[],
  partition: Partition = whole,
  hasPositions = true,
): RawBuilder<unknown> {
  const schema = sql.id(logSchema)
  const start = sql`${`${after}`}::bigint`
  const end = sql`${`${upto}`}::bigint`
  const position = hasPositions ? sql`e.position,` : sql``
  return sql`(
    select ${position} e.position as ordinal, e.stream_id, e.version, e.event_id, e.type, e.data,
      e.metadata, e.tags, e.recorded_at
    from (
      select c.position - c.event_count + w.rank as position, c.incarnation, c.transaction_id,
        w.insert_id, w.stream_id, w.version, w.event_id, w.type, w.schema_version, w.data, w.metadata,
        w.tags, w.recorded_at
      from ${schema}.commits as c
      cross join lateral (
        select count(*) as held
        from ${schema}.events
        where incarnation = c.incarnation and transaction_id = c.transaction_id
      ) as f
      left join lateral (
        select events.*, row_number() over (order by insert_id) as rank
        from ${schema}.events
        where incarnation = c.incarnation and transaction_id = c.transaction_id
      ) as w on true
      where c.position > ${start}
        and c.position <= ${end}
        and c.position - c.event_count >= ${start}
        and case
          when f.held = c.event_count then true
          else ${schema}.raise_log_inconsistent(c.position, c.event_count, f.held) = 0
        end
      union all
      select p.position, (f.commit).incarnation, (f.commit).transaction_id, p.insert_id, p.stream_id,
        p.version, p.event_id, p.type, p.schema_version, p.data, p.metadata, p.tags, p.recorded_at
      from (
        select c as commit, c.position, c.event_count
        from ${schema}.commits as c
        where c.position > ${start}
        order by c.position
        limit 1
      ) as f
      cross join lateral
        ${schema}.read_commit_part(f.commit, ${start}, ${Number(upto - after)}, null, null) as p
      where (f.position > ${end} or f.position - f.event_count < ${start})
        and p.stream_id is not null
    ) as e
    where e.type = any (${[...types]})
      and ${inPartition(logSchema, partition)}
      and case
        when e.schema_version = 1 then true
        else ${schema}.refuse_schema_version(e.incarnation, e.transaction_id, e.insert_id)
      end
  )`
}

/** Keeps to the streams of a partition, by the hash that `partitionOf` computes too. */
function inPartition(logSchema: string, { index, count }: Partition): RawBuilder<unknown> {
  if (count === 1) return sql`true`
  return sql`${sql.id(logSchema)}.partition_of(e.stream_id, ${count}::integer) = ${index}::integer`
}
