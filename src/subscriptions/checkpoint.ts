import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { describeSubscription, type SubscriptionId } from './subscription-id.ts'

/** A subscription's row. */
export interface Checkpoint {
  readonly position: bigint
  readonly state: 'active' | 'failed'
  /** Which run of which server said so. */
  readonly serverRun: string
  /** Raised when somebody else than the owner changes what was applied. */
  readonly revision: bigint
}

interface CheckpointRow {
  readonly position: string
  readonly state: 'active' | 'failed'
  readonly server_run: string
  readonly revision: string
}

/**
 * Tells one run of a server from every other one, of this server or another. What was read from one
 * that ended may never have reached the one that took its place.
 */
const serverRun = 'extract(epoch from pg_postmaster_start_time())::text'

/** Reads a checkpoint; undefined when there is none to deliver from: it does not exist, or is inline. */
export async function readCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<Checkpoint | undefined> {
  const [row] = await run<CheckpointRow>(connection, {
    text: /* sql */ `
      select position::text, state, ${serverRun} as server_run, revision::text
      from ${names.schema}.subscriptions
      where kind = $1 and name = $2 and version = $3 and state <> 'inline'`,
    values: [id.kind, id.name, id.version],
  })
  if (row === undefined) return undefined
  const { state, server_run } = row
  const [position, revision] = [BigInt(row.position), BigInt(row.revision)]
  return { position, state, serverRun: server_run, revision }
}

/** Notes who delivers from now on, for people who look; not while somebody else has the row locked. */
export async function noteOwner(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  owner: string,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions as s
      set owner = $4
      from (
        select kind, name, version
        from ${names.schema}.subscriptions
        where kind = $1 and name = $2 and version = $3
        for update skip locked
      ) as free
      where s.kind = free.kind and s.name = free.name and s.version = free.version`,
    values: [id.kind, id.name, id.version, owner],
  })
}

/** Creates a checkpoint unless it exists. */
export async function createCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  position: bigint | 'head',
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      insert into ${names.schema}.subscriptions (kind, name, version, position)
      select $1, $2, $3, coalesce($4::bigint, position)
      from ${names.schema}.sequencer
      on conflict do nothing`,
    values: [id.kind, id.name, id.version, position === 'head' ? null : position.toString()],
  })
}

/** Where a checkpoint is taken to be, and where it goes. */
export interface CheckpointMove {
  readonly after: bigint
  readonly upto: bigint
  readonly owner: string
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
 * while nobody else has changed what was applied, as a retry of parked events does.
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
        and revision = $8
        and state <> 'inline'
      returning true as moved`,
    values: [
      ...[id.kind, id.name, id.version],
      ...[`${move.after}`, `${move.upto}`, move.owner, move.serverRun, `${move.revision}`],
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
        select held.kind, held.name, held.version, m.upto, m.owner, m.n
        from unnest(
          $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
          $8::bigint[]
        ) with ordinality
          as m (kind, name, version, after, upto, owner, server_run, revision, n)
        join ${names.schema}.subscriptions as held
          on held.kind = m.kind
          and held.name = m.name
          and held.version = m.version
          and held.position = m.after
          and held.revision = m.revision
          and held.state <> 'inline'
        where m.server_run = ${serverRun}
        for update of held skip locked
      ) as free
      where s.kind = free.kind and s.name = free.name and s.version = free.version
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
    ],
  })
  return new Set(rows.map(({ n }) => n))
}

/**
 * Locks a subscription against everybody who delivers it, until the end of the transaction, and has its
 * owner forget what it knows of rows and of parked events.
 *
 * @returns false when there is none.
 */
export async function reviseSubscription(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<boolean> {
  const rows = await run<{ revised: boolean }>(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set revision = revision + 1
      where kind = $1 and name = $2 and version = $3
      returning true as revised`,
    values: [id.kind, id.name, id.version],
  })
  return rows.length === 1
}

/** Records why a subscription stands still. Its checkpoint stays where it is. */
export async function markFailed(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  error: object,
): Promise<void> {
  await run(connection, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set state = 'failed', error = $4, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3 and state <> 'inline'`,
    values: [id.kind, id.name, id.version, JSON.stringify(error)],
  })
}

/** Says that a checkpoint is not where whoever delivers left it. */
export function checkpointRegressed(id: SubscriptionId, position: bigint): TidemarkError {
  const subscription = describeSubscription(id)
  return new TidemarkError(
    'CHECKPOINT_REGRESSED',
    `${subscription} is not where it was at position ${position} any more: ` +
      'another process moved it, parked events were retried, or another server took over',
    { details: { subscription, expected: position } },
  )
}
