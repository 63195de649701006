import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { SubscriptionId } from './subscription-id.ts'

/** A subscription's row. */
export interface Checkpoint {
  readonly position: bigint
  readonly state: 'active' | 'failed'
}

/** Reads a checkpoint; undefined when the subscription does not exist. */
export async function readCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
): Promise<Checkpoint | undefined> {
  const rows = await run<{ position: string; state: 'active' | 'failed' }>(connection, {
    text: /* sql */ `
      select position::text, state
      from ${names.schema}.subscriptions
      where kind = $1 and name = $2 and version = $3`,
    values: [id.kind, id.name, id.version],
  })
  const row = rows[0]
  return row === undefined ? undefined : { position: BigInt(row.position), state: row.state }
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

/**
 * Moves a checkpoint by compare-and-set, in the transaction that applies what it passes. Done first,
 * it also makes the transaction of a second process that believes it owns the subscription wait, and
 * then find that it moved.
 *
 * @returns false when another process has moved it: roll back.
 */
export async function advanceCheckpoint(
  connection: Connection,
  names: LogNames,
  id: SubscriptionId,
  move: { readonly after: bigint; readonly upto: bigint; readonly owner: string },
): Promise<boolean> {
  const rows = await run<{ moved: boolean }>(connection, {
    name: `tidemark-advance-${names.schema}`,
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set position = $5, owner = $6, state = 'active', error = null, updated_at = clock_timestamp()
      where kind = $1 and name = $2 and version = $3 and position = $4
      returning true as moved`,
    values: [id.kind, id.name, id.version, `${move.after}`, `${move.upto}`, move.owner],
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
      where kind = $1 and name = $2 and version = $3`,
    values: [id.kind, id.name, id.version, JSON.stringify(error)],
  })
}
