import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { type Finding, type FindingFields, finding } from '../sequencer/integrity/finding.ts'
import { describePartition } from '../subscriptions/partitions/partition.ts'

interface Row {
  readonly kind: string
  readonly name: string
  readonly version: number
  readonly partition: number
  readonly partitions: number
  /** Rows that there are. */
  readonly rows: number
  /** Null when a projection's version has no subscription. */
  readonly position: string | null
  readonly head: string
  /** Whether a version of a projection belongs to it; true for other kinds. */
  readonly is_owned: boolean
  /** Last position of the commit that it stands inside, and how many events that has. */
  readonly commit_end: string | null
  readonly commit_size: number | null
  /** A failed one stands in front of the event that failed. */
  readonly state: string | null
  /** Events that it has passed and not applied. */
  readonly parked: number
  readonly first_parked: string | null
}

/**
 * Audits where subscriptions stand: not beyond the log, at the end of a commit or inside one that is
 * larger than a batch; and that projection versions and subscriptions belong together. Call it in
 * one snapshot.
 */
export async function auditSubscriptions(
  client: pg.ClientBase,
  names: LogNames,
  options: { readonly batchSize: number; readonly maxFindings: number },
): Promise<Finding[]> {
  const { rows } = await client.query<Row>(/* sql */ `
    select
      coalesce(s.kind, 'projection') as kind,
      coalesce(s.name, p.name) as name,
      coalesce(s.version, p.version) as version,
      coalesce(s.partition, 0) as partition,
      coalesce(s.partitions, 1) as partitions,
      (count(*) over (partition by s.kind, s.name, s.version))::integer as rows,
      s.position::text,
      case when s.kind = 'relay' then q.outbox_position else q.position end::text as head,
      p.name is not null or s.kind <> 'projection' as is_owned,
      c.position::text as commit_end,
      c.event_count as commit_size,
      s.state,
      coalesce(w.parked, 0)::integer as parked,
      w.first_parked::text
    from ${names.schema}.subscriptions as s
    full join (
      select projections.*, 'projection' as kind
      from ${names.schema}.projections
      where projections.state <> 'retired'
    ) as p
      on p.kind = s.kind
      and p.name = s.name
      and p.version = s.version
    cross join ${names.schema}.sequencer as q
    left join lateral (
      select n.*
      from ${names.schema}.commits as n
      where n.position > s.position and s.state <> 'inline' and s.kind <> 'relay'
      order by n.position
      limit 1
    ) as c on c.position - c.event_count < s.position
    left join (
      select kind, name, version, count(*) as parked, min(parked_events.position) as first_parked
      from ${names.schema}.parked_events
      group by kind, name, version
    ) as w on w.kind = s.kind and w.name = s.name and w.version = s.version and s.partition = 0
    order by 1, 2, 3, 4`)
  const findings = rows.flatMap((row) => judge(row, options.batchSize))
  return findings.slice(0, options.maxFindings).map(finding)
}

function judge(row: Row, batchSize: number): FindingFields[] {
  const name = row.kind === 'projection' ? `"${row.name}" version ${row.version}` : `"${row.name}"`
  const part = describePartition({ index: row.partition, count: row.partitions })
  const subscription = `${row.kind} ${name}${part}`
  if (row.position === null) return [unsubscribed(subscription)]
  const position = BigInt(row.position)
  return [
    ...(row.is_owned ? [] : [unowned(subscription, position)]),
    ...(position > BigInt(row.head) ? [ahead(subscription, position, row.head)] : []),
    ...(row.commit_size !== null && row.commit_size <= batchSize && row.state !== 'failed'
      ? [inside(subscription, position, row)]
      : []),
    ...(row.rows === row.partitions ? [] : [incomplete(subscription, position, row)]),
    ...(row.parked > 0 ? [parked(subscription, row)] : []),
  ]
}

function unsubscribed(subscription: string): FindingFields {
  return {
    kind: 'projection-unsubscribed',
    message: `${subscription} has no subscription: nothing reaches it`,
    remedy: 'raise its version, rebuild and promote it',
  }
}

function unowned(subscription: string, position: bigint): FindingFields {
  return {
    kind: 'subscription-unowned',
    severity: 'warning',
    position,
    message: `${subscription} has a subscription and no version that it belongs to`,
    remedy: 'delete the row of the table subscriptions',
  }
}

function incomplete(subscription: string, position: bigint, row: Row): FindingFields {
  return {
    kind: 'partitions-incomplete',
    position,
    message: `${subscription} is one of ${row.rows} rows: nothing reaches the keys of the others`,
    remedy:
      'somebody has deleted rows of the table subscriptions: raise its version and rebuild it',
  }
}

function ahead(subscription: string, position: bigint, head: string): FindingFields {
  return {
    kind: 'subscription-ahead',
    position,
    message: `${subscription} is at position ${position}, the log ends at position ${head}`,
    remedy:
      'the log lost its end, as after a restore: rebuild what reads it from an older position',
  }
}

function parked(subscription: string, row: Row): FindingFields {
  return {
    kind: 'events-parked',
    severity: 'warning',
    position: row.first_parked === null ? null : BigInt(row.first_parked),
    message: `${subscription} has passed ${row.parked} events that it could not apply`,
    remedy: 'see `tidemark parked list`, mend its handler and retry them',
  }
}

function inside(subscription: string, position: bigint, row: Row): FindingFields {
  return {
    kind: 'subscription-inside-commit',
    severity: 'warning',
    position,
    message:
      `${subscription} is at position ${position}, inside the commit of ${row.commit_size} events ` +
      `that ends at position ${row.commit_end}: it has applied half of a transaction`,
    remedy:
      'innocent if it began there, reads in smaller batches or just looks for an event that fails; ' +
      'else rebuild it',
  }
}
