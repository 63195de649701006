import type pg from 'pg'
import { quoteIdent } from '../../db/quote-ident.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import { type DoctorFinding, type Examination, fine, unchecked, warning } from './diagnosis.ts'

interface Row {
  /** Process id of a session; null for a prepared transaction. */
  readonly pid: number | null
  /** Identifier of a prepared transaction, or the application's name. */
  readonly label: string
  readonly owner: string
  readonly state: string
  readonly seconds: number
}

/** Findings of old transactions that are named at most. */
const maxNamed = 10

/**
 * Looks for old transactions in the whole cluster, open or prepared. Such a one makes every slot keep
 * the WAL since its beginning, holds up the making of a new slot if it has written, and vacuum.
 */
export async function checkTransactions(
  { pool, user }: Examination,
  maxTransactionAgeMs: number,
): Promise<DoctorFinding[]> {
  const rows = await ask(pool, (client) => readOld(client, maxTransactionAgeMs))
  const found = rows.map(explain)
  const hidden = (await ask(pool, seesOthers)) ? [] : [mayNotSee(user)]
  if (found.length + hidden.length > 0) return [...found, ...hidden]
  const reason = `no transaction that holds anything back is older than ${maxTransactionAgeMs} ms`
  return [fine('transactions', reason)]
}

async function readOld(client: pg.ClientBase, maxAgeMs: number): Promise<readonly Row[]> {
  const { rows } = await client.query<Row>(
    /* sql */ `
    select
      a.pid,
      a.application_name as label,
      a.usename::text as owner,
      a.state,
      extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
    from pg_stat_activity as a
    where a.backend_type = 'client backend'
      and a.pid <> pg_backend_pid()
      and (a.backend_xid is not null or a.backend_xmin is not null)
      and a.xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond'
    union all
    select
      null,
      p.gid,
      p.owner::text,
      'prepared',
      extract(epoch from clock_timestamp() - p.prepared)::float8
    from pg_prepared_xacts as p
    where p.prepared < clock_timestamp() - $1::float8 * interval '1 millisecond'
    order by 5 desc
    limit $2`,
    [maxAgeMs, maxNamed],
  )
  return rows
}

function explain({ pid, label, owner, state, seconds }: Row): DoctorFinding {
  const age = `${Math.round(seconds)} s old`
  const harm = 'it holds back vacuum and, if it wrote, WAL and the making of slots'
  if (pid === null) {
    return warning(
      'transactions',
      `the prepared transaction "${label}" of "${owner}" is ${age}: ${harm}`,
      `commit prepared or roll back prepared '${label.replaceAll("'", "''")}' in its database`,
    )
  }
  return warning(
    'transactions',
    `the transaction of process ${pid} (${state}, user "${owner}", application "${label}") is ` +
      `${age}: ${harm}`,
    `end it: select pg_terminate_backend(${pid}); set idle_in_transaction_session_timeout`,
  )
}

async function seesOthers(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ sees: boolean }>(
    "select pg_has_role('pg_read_all_stats', 'usage') as sees",
  )
  return rows[0]?.sees === true
}

function mayNotSee(user: string): DoctorFinding {
  return unchecked(
    'transactions',
    'this user does not see the transactions of others',
    `grant pg_monitor to ${quoteIdent(user)}`,
  )
}
