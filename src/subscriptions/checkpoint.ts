import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { type Partition, whole } from './partitions/partition.ts'
import { describeSubscription, type SubscriptionId } from './subscription-id.ts'

/** A subscription's row; of one that is partitioned one of them. */
export interface Checkpoint {
  readonly position: bigint
  readonly state: 'active' | 'failed'
  /** Which run of which server said so. */
  readonly serverRun: string
  /** Raised when somebody else than the owner changes what was applied. */
  readonly revision: bigint
  /** How many partitions there are. */
  readonly partitions: number
  /** No partition goes beyond it, because their number is about to change. Null: nobody has asked for that. */
  readonly haltAt: bigint | null
}

interface CheckpointRow {
  readonly position: string
  readonly state: 'active' | 'failed'
  readonly server_run: string
  readonly revision: string
  readonly partitions: number
  readonly halt_at: string | null
}

/**
 * Tells one run of a server from every other one, of this server or another. What was read from one
 * that ended may never have reached the one that took its place.
 */
const serverRun = 'extract(epoch from pg_postmaster_start_time())::text'

/**
 * Reads a checkpoint; undefined when there is none to deliver from: the subscription, or the partition, does
 * not exist, or it is inline.
 */
export async function readCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  { index }: Partition = whole,
): Promise<Checkpoint | undefined> {
  const [row] = await run<CheckpointRow>(connection, {
    text: /* sql */ `
      select position::text, state, ${serverRun} as server_run, revision::text, partitions,
        halt_at::text
      from ${names.schema}.subscriptions
      where kind = $1 and name = $2 and version = $3 and partition = $4
        and state <> 'inline'`,
    values: [id.kind, id.name, id.version, index],
  })
  if (row === undefined) return undefined
  const { state, server_run, partitions } = row
  const [position, revision] = [BigInt(row.position), BigInt(row.revision)]
  const haltAt = row.halt_at === null ? null : BigInt(row.halt_at)
  return { position, state, serverRun: server_run, revision, partitions, haltAt }
}

/**
 * Notes who delivers from now on, for people who look; not while somebody else has the row locked. That others
 * could not deliver it does not count any more.
 */
export async function noteOwner(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  owner: string,
  { index }: Partition = whole,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions as s
      set
        owner = $4,
        state = case when ${isUndeliverable} then 'active' else s.state end,
        error = case when ${isUndeliverable} then null else s.error end
      from (
        select kind, name, version, partition
        from ${names.schema}.subscriptions
        where kind = $1 and name = $2 and version = $3 and partition = $5
        for update skip locked
      ) as free
      where s.kind = free.kind
        and s.name = free.name
        and s.version = free.version
        and s.partition = free.partition`,
    values: [id.kind, id.name, id.version, owner, index],
  })
}

/** See `stopUndelivered`. */
const isUndeliverable = "s.state = 'failed' and s.error ->> 'code' = 'PROJECTION_DRIFTED'"

/** Creates a checkpoint unless it exists: a row for each partition. */
export async function createCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  position: bigint | 'head',
  partitions = 1,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      insert into ${names.schema}.subscriptions
        (kind, name, version, position, partition, partitions)
      select $1, $2, $3, coalesce($4::bigint, position), p.index, $5
      from ${names.schema}.sequencer
      cross join generate_series(0, $5 - 1) as p (index)
      on conflict do nothing`,
    values: [
      ...[id.kind, id.name, id.version],
      ...[position === 'head' ? null : position.toString(), partitions],
    ],
  })
}

/** Where a checkpoint is taken to be, and where it goes. */
export interface CheckpointMove {
  readonly after: bigint
  readonly upto: bigint
  readonly owner: string
  readonly partition: Partition
  /** As they were when the delivery that moves it began. */
  readonly serverRun: string
  readonly revision: bigint
}

/**
 * Moves a checkpoint by compare-and-set, in the transaction that applies what it passes. Done first,
 * it also makes the transaction of a second process that believes it owns the subscription wait, and
 * then find that it moved.
 *
 * A position alone does not say enough after a failover: what stands there may be another event than the
 * one that was read before. So it moves only on the run of the server on which it was read. And only
 * while nobody else has changed what was applied, as a retry of parked events does; while there are as
 * many partitions as whoever moves it believes; and not beyond the position at which that number changes.
 *
 * @returns false when another process has moved or changed it, or this is another run of a server: roll
 *   back.
 */
export async function advanceCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  move: CheckpointMove,
): Promise<boolean> {
  const rows = await run<{ moved: boolean }>(connection, {
    name: `tidemark-advance-${names.schema}`,
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set position = $5, owner = $6, state = 'active', error = null, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3 and position = $4 and ${serverRun} = $7
        and revision = $8 and partition = $9 and partitions = $10
        and (halt_at is null or halt_at >= $5)
        and state <> 'inline'
      returning true as moved`,
    values: [
      ...[id.kind, id.name, id.version],
      ...[`${move.after}`, `${move.upto}`, move.owner, move.serverRun, `${move.revision}`],
      ...[move.partition.index, move.partition.count],
    ],
  })
  return rows.length === 1
}

/**
 * Moves checkpoints with nothing to apply, all in one statement, each by compare-and-set. One that is
 * locked stays, so that nobody waits for others.
 *
 * @returns which of them have moved.
 */
export async function advanceCheckpoints(
  connection: Connection,
  names: LogNames,
  moves: readonly { readonly id: SubscriptionId; readonly move: CheckpointMove }[],
): Promise<ReadonlySet<number>> {
  const rows = await run<{ n: number }>(connection, {
    name: `tidemark-advance-all-${names.schema}`,
    text: /* sql */ `
      update ${names.schema}.subscriptions as s
      set position = free.upto, owner = free.owner, state = 'active', error = null,
        updated_at = clock_timestamp()
      from (
        select held.kind, held.name, held.version, held.partition, m.upto, m.owner, m.n
        from unnest(
          $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
          $8::bigint[], $9::integer[], $10::integer[]
        ) with ordinality
          as m (
            kind, name, version, after, upto, owner, server_run, revision, partition, partitions, n
          )
        join ${names.schema}.subscriptions as held
          on held.kind = m.kind
          and held.name = m.name
          and held.version = m.version
          and held.position = m.after
          and held.revision = m.revision
          and held.state <> 'inline'
          and held.partition = m.partition
          and held.partitions = m.partitions
          and (held.halt_at is null or held.halt_at >= m.upto)
        where m.server_run = ${serverRun}
        for update of held skip locked
      ) as free
      where s.kind = free.kind
        and s.name = free.name
        and s.version = free.version
        and s.partition = free.partition
      returning (free.n - 1)::integer as n`,
    values: [
      moves.map(({ id }) => id.kind),
      moves.map(({ id }) => id.name),
      moves.map(({ id }) => id.version),
      moves.map(({ move }) => `${move.after}`),
      moves.map(({ move }) => `${move.upto}`),
      moves.map(({ move }) => move.owner),
      moves.map(({ move }) => move.serverRun),
      moves.map(({ move }) => `${move.revision}`),
      moves.map(({ move }) => move.partition.index),
      moves.map(({ move }) => move.partition.count),
    ],
  })
  return new Set(rows.map(({ n }) => n))
}

/** A partition's row, locked. */
export interface LockedPartition {
  readonly index: number
  readonly position: bigint
  readonly partitions: number
  readonly nextPartitions: number | null
  readonly haltAt: bigint | null
}

interface LockedRow {
  readonly index: number
  readonly position: string
  readonly partitions: number
  readonly next_partitions: number | null
  readonly halt_at: string | null
}

/**
 * Locks a subscription, with all of its partitions, against everybody who delivers it, until the end of
 * the transaction, which reads committed. In the order of the partitions, as everybody does who locks
 * several.
 *
 * @returns all of its partitions, in order, but for rows that somebody deleted by hand; none when there is
 *   no such subscription.
 */
export async function lockSubscription(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<readonly LockedPartition[]> {
  let rows: readonly LockedRow[] = []
  for (let look = 0; look < maxLooks; look += 1) {
    rows = await run<LockedRow>(connection, {
      text: /* sql */ `
        select partition as index, position::text, partitions, next_partitions, halt_at::text
        from ${names.schema}.subscriptions
        where kind = $1 and name = $2 and version = $3
        order by partition
        for update`,
      values: [id.kind, id.name, id.version],
    })
    // Who waited while their number grew has not seen the new ones.
    if (rows.length >= (rows[0]?.partitions ?? 0)) break
  }
  return rows.map(toLocked)
}

/** Nobody changes the number that often while somebody waits for the locks. */
const maxLooks = 5

function toLocked(row: LockedRow): LockedPartition {
  const { index, partitions, next_partitions: nextPartitions } = row
  const haltAt = row.halt_at === null ? null : BigInt(row.halt_at)
  return { index, position: BigInt(row.position), partitions, nextPartitions, haltAt }
}

/**
 * Locks a subscription against everybody who delivers it, until the end of the transaction, and has its
 * owners forget what they know of rows and of parked events.
 *
 * @returns false when there is none.
 */
export async function reviseSubscription(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<boolean> {
  if ((await lockSubscription(connection, names, id)).length === 0) return false
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set revision = revision + 1
      where kind = $1 and name = $2 and version = $3`,
    values: [id.kind, id.name, id.version],
  })
  return true
}

/**
 * Records why a subscription stands still. Its checkpoint stays where it is.
 *
 * @returns false when it is not partitioned like that any more, or gone: nothing was recorded.
 */
export async function markFailed(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  error: object,
  { index, count }: Partition = whole,
): Promise<boolean> {
  const rows = await run<{ marked: boolean }>(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set state = 'failed', error = $4, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3 and partition = $5 and partitions = $6
        and state <> 'inline'
      returning true as marked`,
    values: [id.kind, id.name, id.version, JSON.stringify(error), index, count],
  })
  return rows.length === 1
}

/** Says that a checkpoint is not where whoever delivers left it. */
export function checkpointRegressed(id: SubscriptionId, position: bigint): TidemarkError {
  const subscription = describeSubscription(id)
  return new TidemarkError(
    'CHECKPOINT_REGRESSED',
    `${subscription} is not where it was at position ${position} any more: ` +
      'another process moved it, parked events were retried, its partitions change, or another server ' +
      'took over',
    { details: { subscription, expected: position } },
  )
}
