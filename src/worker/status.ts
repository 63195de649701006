import { readHeldLocks } from '../db/held-locks.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { countDeadJobs } from '../jobs/dead-jobs.ts'
import { countInstances, type ProcessStatus } from '../jobs/processes/count-instances.ts'
import { listShed, type ShedEvents } from '../jobs/shedding/shed-events.ts'
import { countParkedMessages } from '../outbox/parked-messages.ts'
import type { ProjectionState } from '../projections/versions/versions.ts'
import { listVersions } from '../projections/versions/versions.ts'
import { leaderLockKey } from '../sequencer/leader-lock.ts'
import { unsequencedEvents, unsequencedMessages } from '../sequencer/unsequenced-events.ts'
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
  readonly outbox: OutboxStatus
  /** Whether a worker leads the sequencer now. */
  readonly isLed: boolean
  readonly mode: 'wal' | 'poll'
  /** Mode `poll`: why the leader does not follow the WAL. */
  readonly pollReason: string | null
  /** The server's `wal_level`: mode `wal` needs `logical`. */
  readonly walLevel: string
  readonly slot: SlotStatus | null
  readonly subscriptions: readonly SubscriptionStatus[]
  /** Processes with instances that are not over. */
  readonly processes: readonly ProcessStatus[]
  /** Jobs that gave up. Null where there is no queue, or it is not ours to see. */
  readonly deadJobs: number | null
}

/** How the outbox is doing, which has positions of its own. */
export interface OutboxStatus {
  /** Position of the last message. */
  readonly position: bigint
  /** Committed messages that have no position yet, counted up to 10,001. */
  readonly unsequenced: number
  /** Messages with a position that are not removed yet. */
  readonly kept: bigint
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
  /** Exact number of sequenced events that it has not passed yet; of a relay: of messages. */
  readonly lag: bigint
  /** `active`; `failed` with the reason in `error`; `inline`: appends apply it, it has no lag. */
  readonly state: 'active' | 'failed' | 'inline'
  readonly error: string | null
  /** Since when a relay's broker cannot be reached; `error` says why. Null: it can. */
  readonly troubledSince: Date | null
  /** What kind of reason it is, such as `HANDLER_FAILED` or `PROJECTION_DRIFTED`; null unless it has failed. */
  readonly errorCode: string | null
  /** Events, or messages, that could not be applied and wait, with those of the same key behind them. */
  readonly parked: number
  /** Events that a reactor has passed over while it was far behind and nobody has replayed; else 0. */
  readonly shed: number
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
  readonly outbox_position: string
  readonly unsequenced_messages: number
  readonly kept: string
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
  readonly since: string | null
  readonly code: string | null
  readonly owner: string | null
  readonly partition: number
  readonly next_partitions: number | null
}

/** Reads the state of a log: how far it is sequenced, and how far each subscription has come. */
export async function readStatus(
  connection: Connection,
  names: LogNames,
  jobSchema: string | null = null,
): Promise<LogStatus> {
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
        q.outbox_position::text,
        (
          select count(*)::integer
          from (
            ${unsequencedMessages(names.schema)}
            limit 10001
          ) as waiting
        ) as unsequenced_messages,
        (
          select coalesce(q.outbox_position - min(c.position - c.message_count), 0)::text
          from ${names.schema}.outbox_commits as c
        ) as kept,
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
      select s.kind, s.name, s.version, l.position::text, (l.head - l.position)::text as lag,
        s.state, s.error ->> 'message' as reason, s.error ->> 'since' as since,
        s.error ->> 'code' as code, s.owner, s.partition, s.next_partitions
      from ${names.schema}.subscriptions as s
      cross join ${names.schema}.sequencer as q
      cross join lateral (
        select
          case s.state when 'inline' then q.position else s.position end as position,
          case s.kind when 'relay' then q.outbox_position else q.position end as head
      ) as l
      order by s.kind, s.name, s.version, s.partition`,
  })
  const leaderKey = leaderLockKey(names.schema)
  const keyOf = (row: SubscriptionRow) => ownershipLockKey(names, row, row.partition)
  const keys = subscriptions.map(keyOf)
  const held = await readHeldLocks(connection, [leaderKey, ...keys])
  const versions = await listVersions(connection, names)
  const parked = [
    ...(await countParked(connection, names)),
    ...(await countParkedMessages(connection, names)),
  ]
  const shed = await listShed(connection, names)
  const processes = await countInstances(connection, names)
  const deadJobs = jobSchema === null ? null : await countDeadJobs(connection, jobSchema)
  const versionOf = ({ kind, name, version }: SubscriptionRow) =>
    kind === 'projection'
      ? versions.find((one) => one.name === name && one.version === version)
      : undefined
  return {
    schema: names.schema,
    position: BigInt(log.position),
    unsequenced: log.unsequenced,
    outbox: {
      position: BigInt(log.outbox_position),
      unsequenced: log.unsequenced_messages,
      kept: BigInt(log.kept),
    },
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
        troubledSince: row.since === null ? null : new Date(row.since),
        parked: parked.find((one) => isSame(one, row))?.events ?? 0,
        shed: row.kind === 'reactor' ? shedBy(row.name, shed) : 0,
        projectionState: versionOf(row)?.state ?? null,
        startPosition: versionOf(row)?.startPosition ?? 0n,
        nextPartitions: row.next_partitions,
      })),
    processes,
    deadJobs,
  }
}

type Summary = Pick<
  SubscriptionStatus,
  'position' | 'lag' | 'state' | 'error' | 'errorCode' | 'owner' | 'partitions'
>

/** What is to be said of a subscription by its rows: it is where the slowest partition is. */
function summarise(rows: readonly SubscriptionRow[]): Summary {
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
    errorCode: failed?.code ?? null,
    owner: owners.length === 0 ? null : owners.join(', '),
    partitions: parts.length > 1 ? parts : [],
  }
}

function shedBy(name: string, shed: readonly ShedEvents[]): number {
  return shed.find(({ reactor }) => reactor === name)?.events ?? 0
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
