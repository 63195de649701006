import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { explainLedger } from '../sequencer/integrity/explain-ledger.ts'
import { type Finding, finding, findWhoChangedIt } from '../sequencer/integrity/finding.ts'

/** What a log has, as its ledger says. */
export interface LedgerFigures {
  /** Last position in the ledger. */
  readonly head: bigint
  readonly commits: bigint
  readonly events: bigint
}

interface FiguresRow {
  readonly sequenced: string
  readonly head: string
  readonly commits: string
  readonly events: string
}

interface CommitRow {
  readonly position: string
  readonly event_count: string
  readonly before: string
  readonly held: string
}

interface StreamRow {
  readonly stream_id: string
  readonly missing: string
  readonly last: string
  readonly held: string
}

/**
 * Audits the ledger against itself and against the events, and the versions of streams. Call it in
 * one snapshot.
 */
export async function auditLedger(
  client: pg.ClientBase,
  names: LogNames,
  maxFindings: number,
): Promise<LedgerFigures & { readonly findings: readonly Finding[] }> {
  const { sequenced, ...figures } = await readFigures(client, names)
  const faults = await readFaults(client, names, maxFindings)
  return {
    ...figures,
    findings: [
      ...explainLedger({ faults, reached: figures.head }, sequenced),
      ...(figures.head > sequenced ? [beyondSequencer(sequenced, figures.head)] : []),
      ...(await auditVersions(client, names, maxFindings)),
    ],
  }
}

async function readFigures(client: pg.ClientBase, names: LogNames) {
  const { rows } = await client.query<FiguresRow>(/* sql */ `
    select
      s.position::text as sequenced,
      coalesce(c.head, 0)::text as head,
      c.commits::text,
      coalesce(c.events, 0)::text as events
    from ${names.schema}.sequencer as s
    cross join (
      select max(position) as head, count(*) as commits, sum(event_count) as events
      from ${names.schema}.commits
    ) as c`)
  const [row] = rows as [FiguresRow]
  return {
    sequenced: BigInt(row.sequenced),
    head: BigInt(row.head),
    commits: BigInt(row.commits),
    events: BigInt(row.events),
  }
}

/** Counts the events of each transaction, and holds each row of the ledger against the one before. */
async function readFaults(client: pg.ClientBase, names: LogNames, maxFindings: number) {
  const { rows } = await client.query<CommitRow>(
    /* sql */ `
    select c.position::text, c.event_count::text, c.before::text, coalesce(e.held, 0)::text as held
    from (
      select
        commits.*,
        lag(commits.position, 1, 0::bigint) over (order by commits.position) as before
      from ${names.schema}.commits
    ) as c
    left join (
      select events.incarnation, events.transaction_id, count(*) as held
      from ${names.schema}.events
      group by events.incarnation, events.transaction_id
    ) as e
      on e.incarnation = c.incarnation
      and e.transaction_id = c.transaction_id
    where c.position - c.event_count <> c.before
      or e.held is distinct from c.event_count
    order by c.position
    limit $1`,
    [maxFindings],
  )
  return rows.map((row) => ({
    position: BigInt(row.position),
    eventCount: BigInt(row.event_count),
    before: BigInt(row.before),
    held: BigInt(row.held),
  }))
}

/** Versions are unique, so a stream has no hole when it has as many events as its last version. */
async function auditVersions(
  client: pg.ClientBase,
  names: LogNames,
  maxFindings: number,
): Promise<Finding[]> {
  const { rows } = await client.query<StreamRow>(
    /* sql */ `
    select
      s.stream_id,
      s.last::text,
      s.held::text,
      (
        select min(g.version)::text
        from (
          select 1::bigint as version
          union all
          select e.version + 1
          from ${names.schema}.events as e
          where e.stream_id = s.stream_id
        ) as g
        where not exists (
          select
          from ${names.schema}.events as n
          where n.stream_id = s.stream_id
            and n.version = g.version
        )
      ) as missing
    from (
      select events.stream_id, max(events.version) as last, count(*) as held
      from ${names.schema}.events
      group by events.stream_id
      having max(events.version) <> count(*)
      order by events.stream_id
      limit $1
    ) as s`,
    [maxFindings],
  )
  return rows.map((row) =>
    finding({
      kind: 'version-missing',
      streamId: row.stream_id,
      version: BigInt(row.missing),
      message: `a stream has ${row.held} events and ends at version ${row.last}`,
      remedy: findWhoChangedIt,
    }),
  )
}

function beyondSequencer(sequenced: bigint, head: bigint): Finding {
  return finding({
    kind: 'sequencer-differs',
    position: sequenced + 1n,
    message: `the sequencer is at position ${sequenced}, the ledger ends at position ${head}`,
    remedy: findWhoChangedIt,
  })
}
