import { readHeldLocks } from '../db/held-locks.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import type { ProjectionState } from '../projections/versions/versions.ts'
import { listVersions } from '../projections/versions/versions.ts'
import { leaderLockKey } from '../sequencer/leader-lock.ts'
import { unsequencedEvents } from '../sequencer/unsequenced-events.ts'
import { ownershipLockKey } from '../subscriptions/log-session.ts'
import { countParked } from '../subscriptions/parking/parked-key.ts'
import type { SubscriptionId, SubscriptionKind } from '../subscriptions/subscription-id.ts'

/** How a log and everything that reads it are doing. */
export interface LogStatus {
  readonly schema: string
  /** Last position in the ledger. */
  readonly position: bigint
  /** Committed events that have no position yet, counted up to 10,001. They wait for a worker. */
  readonly unsequenced: number
  /** Whether a worker leads the sequencer now. */
  readonly isLed: boolean
  readonly mode: 'wal' | 'poll'
  /** Mode `poll`: why the leader does not follow the WAL. */
  readonly pollReason: string | null
  /** The server's `wal_level`: mode `wal` needs `logical`. */
  readonly walLevel: string
  readonly slot: SlotStatus | null
  readonly subscriptions: readonly SubscriptionStatus[]
}

export interface SlotStatus {
  readonly name: string
  readonly exists: boolean
  /** Whether a leader streams from it now. */
  readonly isActive: boolean
  /** WAL that the server keeps for it. */
  readonly retainedBytes: bigint | null
}

export interface SubscriptionStatus {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly version: number
  readonly position: bigint
  /** Exact number of sequenced events that it has not passed yet. */
  readonly lag: bigint
  /** `active`; `failed` with the reason in `error`; `inline`: appends apply it, it has no lag. */
  readonly state: 'active' | 'failed' | 'inline'
  readonly error: string | null
  /** Events that could not be applied and wait, with those of the same key behind them. */
  readonly parked: number
  /** What the version of a projection is; null for other kinds. */
  readonly projectionState: ProjectionState | null
  /** After which position the events of a projection's version begin; 0: it has the whole log. */
  readonly startPosition: bigint
  /** The process that delivers it now; null when none does. Of several, all names in one line. */
  readonly owner: string | null
  /** Its partitions, when it has more than one; `position`, `lag` and `state` are those of the slowest. */
  readonly partitions: readonly PartitionStatus[]
  /** How many partitions it is to have, when they are about to change; else null. */
  readonly nextPartitions: number | null
}

export interface PartitionStatus {
  /** From 0. */
  readonly partition: number
  readonly position: bigint
  readonly lag: bigint
  readonly state: SubscriptionStatus['state']
  readonly owner: string | null
}

interface LogRow {
  readonly position: string
  readonly unsequenced: number
  readonly mode: 'wal' | 'poll'
  readonly poll_reason: string | null
  readonly wal_level: string
  readonly slot_name: string | null
  readonly slot_exists: boolean
  readonly slot_active: boolean | null
  readonly retained: string | null
}

interface SubscriptionRow {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly version: number
  readonly position: string
  readonly lag: string
  readonly state: 'active' | 'failed' | 'inline'
  readonly reason: string | null
  readonly owner: string | null
  readonly partition: number
  readonly next_partitions: number | null
}

/** Reads the state of a log: how far it is sequenced, and how far each subscription has come. */
export async function readStatus(connection: Connection, names: LogNames): Promise<LogStatus> {
  const [log] = (await run<LogRow>(connection, {
    text: /* sql */ `
      select
        q.position::text,
        (
          select count(*)::integer
          from (
            ${unsequencedEvents(names.schema)}
            limit 10001
          ) as waiting
        ) as unsequenced,
        q.mode,
        q.poll_reason,
        current_setting('wal_level') as wal_level,
        q.slot_name,
        s.slot_name is not null as slot_exists,
        s.active as slot_active,
        pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint::text as retained
      from ${names.schema}.sequencer as q
      left join pg_replication_slots as s
        on s.slot_name = q.slot_name and s.database = current_database()`,
  })) as [LogRow]
  const subscriptions = await run<SubscriptionRow>(connection, {
    text: /* sql */ `
      select s.kind, s.name, s.version, l.position::text, (q.position - l.position)::text as lag,
        s.state, s.error ->> 'message' as reason, s.owner, s.partition, s.next_partitions
      from ${names.schema}.subscriptions as s
      cross join ${names.schema}.sequencer as q
      cross join lateral (
        select case s.state when 'inline' then q.position else s.position end as position
      ) as l
      order by s.kind, s.name, s.version, s.partition`,
  })
  const leaderKey = leaderLockKey(names.schema)
  const keyOf = (row: SubscriptionRow) => ownershipLockKey(names, row, row.partition)
  const keys = subscriptions.map(keyOf)
  const held = await readHeldLocks(connection, [leaderKey, ...keys])
  const versions = await listVersions(connection, names)
  const parked = await countParked(connection, names)
  const versionOf = ({ kind, name, version }: SubscriptionRow) =>
    kind === 'projection'
      ? versions.find((one) => one.name === name && one.version === version)
      : undefined
  return {
    schema: names.schema,
    position: BigInt(log.position),
    unsequenced: log.unsequenced,
    isLed: held.has(leaderKey),
    mode: log.mode,
    pollReason: log.poll_reason,
    walLevel: log.wal_level,
    slot: toSlot(log),
    subscriptions: subscriptions
      .filter(({ partition }) => partition === 0)
      .map((row) => ({
        ...summarise(
          subscriptions
            .filter((other) => isSame(other, row))
            .map((part) => ({ ...part, owner: held.has(keyOf(part)) ? part.owner : null })),
        ),
        kind: row.kind,
        name: row.name,
        version: row.version,
        parked: parked.find((one) => isSame(one, row))?.events ?? 0,
        projectionState: versionOf(row)?.state ?? null,
        startPosition: versionOf(row)?.startPosition ?? 0n,
        nextPartitions: row.next_partitions,
      })),
  }
}

/** What is to be said of a subscription by its rows: it is where the slowest partition is. */
function summarise(
  rows: readonly SubscriptionRow[],
): Pick<SubscriptionStatus, 'position' | 'lag' | 'state' | 'error' | 'owner' | 'partitions'> {
  const parts = rows.map((row) => ({
    partition: row.partition,
    position: BigInt(row.position),
    lag: BigInt(row.lag),
    state: row.state,
    owner: row.owner,
  }))
  const slowest = parts.reduce((a, b) => (b.position < a.position ? b : a))
  const failed = rows.find(({ state }) => state === 'failed')
  const owners = [...new Set(parts.flatMap(({ owner }) => owner ?? []))]
  const place = failed !== undefined && rows.length > 1 ? `partition ${failed.partition}: ` : ''
  return {
    position: slowest.position,
    lag: slowest.lag,
    state: failed?.state ?? slowest.state,
    error: failed === undefined ? (rows[0]?.reason ?? null) : `${place}${failed.reason ?? ''}`,
    owner: owners.length === 0 ? null : owners.join(', '),
    partitions: parts.length > 1 ? parts : [],
  }
}

function isSame(one: SubscriptionId, other: SubscriptionId): boolean {
  return one.kind === other.kind && one.name === other.name && one.version === other.version
}

function toSlot(row: LogRow): SlotStatus | null {
  if (row.slot_name === null) return null
  return {
    name: row.slot_name,
    exists: row.slot_exists,
    isActive: row.slot_active === true,
    retainedBytes: row.retained === null ? null : BigInt(row.retained),
  }
}
