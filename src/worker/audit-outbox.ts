import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { type Finding, finding, findWhoChangedIt } from '../sequencer/integrity/finding.ts'

interface FaultRow {
  readonly position: string
  readonly message_count: string
  readonly before: string | null
  readonly held: string
}

interface UncoveredRow {
  readonly transaction: string
  readonly messages: string
  readonly is_skipped: boolean
}

/**
 * Audits the outbox: its ledger is dense from its first row, each commit has as many messages as that says, the
 * last is the sequencer's, and each committed message has a position. What retention has removed is no fault.
 * Call it in one snapshot.
 *
 * @param seenBy a snapshot, as text: messages that it does not see may be about to get a position.
 * @param waiting how bad it is to have none yet.
 */
export async function auditOutbox(
  client: pg.ClientBase,
  names: LogNames,
  seenBy: string,
  waiting: Finding['severity'],
  maxFindings: number,
): Promise<Finding[]> {
  return [
    ...(await findFaults(client, names, maxFindings)),
    ...(await findUncovered(client, names, seenBy, waiting, maxFindings)),
  ]
}

async function findFaults(
  client: pg.ClientBase,
  { schema }: LogNames,
  maxFindings: number,
): Promise<Finding[]> {
  const { rows } = await client.query<FaultRow>(
    /* sql */ `
    select c.position::text, c.message_count::text, c.before::text, coalesce(o.held, 0)::text as held
    from (
      select outbox_commits.*, lag(position) over (order by position) as before
      from ${schema}.outbox_commits
      union all
      -- Where the ledger has to end, as a commit of no messages.
      select s.outbox_position, 0, null, null, null, null, max(l.position)
      from ${schema}.sequencer as s
      cross join ${schema}.outbox_commits as l
      group by s.outbox_position
    ) as c
    left join (
      select incarnation, transaction_id, count(*) as held
      from ${schema}.outbox
      group by incarnation, transaction_id
    ) as o
      on o.incarnation = c.incarnation
      and o.transaction_id = c.transaction_id
    where c.position - c.message_count <> c.before
      or coalesce(o.held, 0) <> c.message_count
    order by c.position
    limit $1`,
    [maxFindings],
  )
  return rows.map(({ position, message_count, before, held }) =>
    finding({
      kind: 'outbox-differs',
      message:
        `the outbox's ledger promises ${message_count} messages up to position ${position} of the ` +
        `outbox, after position ${before ?? '?'}; the table holds ${held}`,
      remedy: findWhoChangedIt,
    }),
  )
}

async function findUncovered(
  client: pg.ClientBase,
  { schema }: LogNames,
  seenBy: string,
  waiting: Finding['severity'],
  maxFindings: number,
): Promise<Finding[]> {
  const { rows } = await client.query<UncoveredRow>(
    /* sql */ `
    select
      o.incarnation || '.' || o.transaction_id as transaction,
      count(*)::text as messages,
      bool_or((o.incarnation, o.transaction_id) < (s.low_incarnation, s.low_xid)) as is_skipped
    from ${schema}.outbox as o
    cross join ${schema}.sequencer as s
    where not exists (
        select
        from ${schema}.outbox_commits as c
        where c.incarnation = o.incarnation
          and c.transaction_id = o.transaction_id
      )
      and (
        (o.incarnation, o.transaction_id) < (s.low_incarnation, s.low_xid)
        or o.incarnation < s.incarnation
        or pg_visible_in_snapshot(o.transaction_id, $1::pg_snapshot)
      )
    group by o.incarnation, o.transaction_id
    order by o.incarnation, o.transaction_id
    limit $2`,
    [seenBy, maxFindings],
  )
  return rows.map(({ transaction, messages, is_skipped: isSkipped }) =>
    finding({
      kind: isSkipped ? 'message-skipped' : 'message-waiting',
      severity: isSkipped ? 'error' : waiting,
      message: isSkipped
        ? `${messages} messages of transaction ${transaction} have no row in the outbox's ledger, and no sequencer will come to them`
        : `${messages} messages of transaction ${transaction} are committed and have no position yet`,
      remedy: isSkipped
        ? findWhoChangedIt
        : 'run a worker; if one runs, its log says why it does not sequence',
    }),
  )
}
