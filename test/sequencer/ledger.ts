import type pg from 'pg'
import { connect } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import { dropSlots } from '../../src/sequencer/drop-slots.ts'
import { until } from '../support/until.ts'

/** What a test asks for rows: a client or a pool. */
export interface Asks {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
}

export interface LedgerRow {
  readonly position: bigint
  readonly events: number
  readonly incarnation: number
  readonly transactionId: string
  readonly lsn: string | null
}

/** Reads the ledger, by position. */
export async function readLedger(asks: Asks, schema = 'tidemark'): Promise<LedgerRow[]> {
  const { rows } = await asks.query(/* sql */ `
    select c.position::text, event_count, incarnation::integer, transaction_id::text, lsn::text
    from ${schema}.commits as c
    order by c.position`)
  return rows.map((row) => ({
    position: BigInt(row.position as string),
    events: row.event_count as number,
    incarnation: row.incarnation as number,
    transactionId: row.transaction_id as string,
    lsn: row.lsn as string | null,
  }))
}

/**
 * Appends events of one type to a stream, and publishes as many messages under its name as a key. Gives the
 * transaction's id.
 */
export async function append(
  asks: Asks,
  streamId: string,
  events: number | readonly object[] = 1,
  schema = 'tidemark',
): Promise<string> {
  const list =
    typeof events === 'number'
      ? Array.from({ length: events }, () => ({ type: 'noted', data: {} }))
      : events
  const { rows } = await asks.query(
    /* sql */ `
    select split_part(token, '.', 2) as id, (
      select max(${schema}.publish('noted', e, $1)::text)
      from jsonb_array_elements($2) as e
      -- Not before the stream is locked.
      where a.token is not null
    )
    from ${schema}.append($1, 'any', $2) as a`,
    [streamId, JSON.stringify(list)],
  )
  return rows[0]?.id as string
}

/** Publishes messages and appends nothing. Gives the transaction's id. */
export async function publish(asks: Asks, key: string, count = 1): Promise<string> {
  const { rows } = await asks.query(
    /* sql */ `
    select pg_current_xact_id()::text as id, count(tidemark.publish('only', to_jsonb(n), $1))
    from generate_series(1, $2::integer) as n`,
    [key, count],
  )
  return rows[0]?.id as string
}

/** Waits until the outbox's ledger has a transaction. @returns its position. */
export async function untilOutboxSequenced(asks: Asks, transactionId: string): Promise<bigint> {
  return until(`transaction ${transactionId} in the outbox's ledger`, async (saw) => {
    const { rows } = await asks.query(
      'select position::text, transaction_id::text from tidemark.outbox_commits order by position',
    )
    saw(rows.slice(-10))
    const row = rows.find((one) => one.transaction_id === transactionId)
    return row && BigInt(row.position as string)
  })
}

/** Inserts events into a stream that has none in one statement, as a bulk load would. Gives the transaction's id. */
export async function insertEvents(asks: Asks, streamId: string, count: number): Promise<string> {
  const { rows } = await asks.query(
    /* sql */ `
    with inserted as (
      insert into tidemark.events (stream_id, version, event_id, type, data)
      select $1, n, gen_random_uuid(), 'loaded', '{}'
      from generate_series(1, $2::integer) as n
      returning 1
    )
    select pg_current_xact_id()::text as id, count(*)
    from inserted`,
    [streamId, count],
  )
  return rows[0]?.id as string
}

/** Gives positions to all that is committed, for tests that need a log and no sequencer. */
export async function sequenceNow(asks: Asks, schema = 'tidemark'): Promise<bigint> {
  const { rows } = await asks.query(/* sql */ `
    select r.last_position::text
    from ${schema}.sequencer as s
    cross join lateral ${schema}.sequence_from_table(
      s.generation, 'none', pg_current_snapshot(), pg_current_wal_lsn(), '${schema}_log'
    ) as r`)
  return BigInt(rows[0]?.last_position as string)
}

/** Reads the events in the order of the log, as `stream/version`. */
export async function readOrder(asks: Asks, schema = 'tidemark'): Promise<string[]> {
  const { rows } = await asks.query(
    `select stream_id || '/' || version as event from ${schema}.log order by position`,
  )
  return rows.map((row) => row.event as string)
}

/** Waits until the ledger has a transaction. @returns its row. */
export async function untilSequenced(
  asks: Asks,
  transactionId: string,
  options: { readonly schema?: string; readonly timeoutMs?: number } = {},
): Promise<LedgerRow> {
  const { schema = 'tidemark', ...limit } = options
  return until(
    `transaction ${transactionId} in the ledger of "${schema}"`,
    async (saw) => {
      const ledger = await readLedger(asks, schema)
      saw(ledger.slice(-10))
      return ledger.find((row) => row.transactionId === transactionId)
    },
    limit,
  )
}

/** Waits until the log's slot is streamed from. @returns the server's process that does it. */
export async function untilStreaming(asks: Asks): Promise<number> {
  return until('the slot to be streamed from', async (saw) => {
    // One that is only being made is held by a process, too.
    const { rows } = await asks.query(/* sql */ `
      select r.active_pid
      from tidemark.sequencer as s
      join pg_replication_slots as r on r.slot_name = s.slot_name`)
    saw(rows)
    return (rows[0]?.active_pid as number | null | undefined) ?? undefined
  })
}

/** What is wrong with a log all of whose committed events are to be sequenced; empty when nothing. */
export async function findFaults(asks: Asks, schema = 'tidemark'): Promise<string[]> {
  const { rows } = await asks.query(/* sql */ `
    select format('commit %s of %s events ends at %s, the one before at %s',
      transaction_id, event_count, position, before) as fault
    from (
      select c.*, lag(position, 1, 0) over (order by position) as before
      from ${schema}.commits as c
    ) as c
    where position - event_count <> before
    union all
    select format('transaction %s.%s has %s events and %s in the ledger',
      coalesce(e.incarnation, c.incarnation), coalesce(e.transaction_id, c.transaction_id),
      coalesce(e.n, 0), coalesce(c.event_count::text, 'nothing'))
    from (
      select incarnation, transaction_id, count(*) as n
      from ${schema}.events
      group by incarnation, transaction_id
    ) as e
    full join ${schema}.commits as c using (incarnation, transaction_id)
    where e.n is distinct from c.event_count
    union all
    select format('version %s of stream %s comes before version %s', version, stream_id, before)
    from (
      select stream_id, version,
        lag(version, 1, 0::bigint) over (partition by stream_id order by position) as before
      from ${schema}.log
    ) as l
    where version <> before + 1
    union all
    ${outboxFaults(schema)}
    union all
    select format('the sequencer is at %s, the ledger at %s', s.position, max(c.position))
    from ${schema}.sequencer as s
    left join ${schema}.commits as c on true
    group by s.position
    having s.position <> coalesce(max(c.position), 0)`)
  return rows.map((row) => row.fault as string)
}

/** The same of the outbox: the messages of a key are published one transaction after the other. */
function outboxFaults(schema: string): string {
  return /* sql */ `
    select format('outbox: commit %s of %s messages ends at %s, the one before at %s',
      transaction_id, message_count, position, before)
    from (
      select c.*, lag(position, 1, 0) over (order by position) as before
      from ${schema}.outbox_commits as c
    ) as c
    where position - message_count <> before
    union all
    select format('outbox: transaction %s.%s has %s messages and %s in the ledger',
      coalesce(o.incarnation, c.incarnation), coalesce(o.transaction_id, c.transaction_id),
      coalesce(o.n, 0), coalesce(c.message_count::text, 'nothing'))
    from (
      select incarnation, transaction_id, count(*) as n
      from ${schema}.outbox
      group by incarnation, transaction_id
    ) as o
    full join ${schema}.outbox_commits as c using (incarnation, transaction_id)
    where o.n is distinct from c.message_count
    union all
    select format('outbox: a message of key %s at position %s was inserted before', key, position)
    from (
      select o.key, c.position, o.insert_id,
        lag(o.insert_id) over (partition by o.key order by c.position, o.insert_id) as before
      from ${schema}.outbox_commits as c
      join ${schema}.outbox as o using (incarnation, transaction_id)
    ) as o
    where o.insert_id < o.before
    union all
    select format('outbox: the sequencer is at %s, the ledger at %s',
      s.outbox_position, max(c.position))
    from ${schema}.sequencer as s
    left join ${schema}.outbox_commits as c on true
    group by s.outbox_position
    having s.outbox_position <> coalesce(max(c.position), 0)`
}

/** Drops the slots of a log once nobody leads it any more. */
export async function dropLogSlots(connectionString: string, schema?: string): Promise<void> {
  const client: pg.Client = await connect({ connectionString, applicationName: 'test slots' })
  try {
    await dropSlots(client, logNames(schema))
  } finally {
    await client.end()
  }
}
