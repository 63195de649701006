import type pg from 'pg'
import type { FaultList } from './fault-list.ts'

/** What an outbox holds, in its order. */
export interface StoredMessage {
  readonly id: string
  readonly key: string | null
  readonly topic: string
  /** The event or the row that it tells of. */
  readonly about: string
}

/** What there is to tell of, by topic: events and rows that are committed. */
export type ToldOf = Readonly<Record<string, ReadonlySet<string>>>

/** Compares messages with what they tell of: each is told of once. */
export function checkPublished(
  messages: readonly StoredMessage[],
  toldOf: ToldOf,
  faults: FaultList,
): void {
  const told = new Map<string, number>()
  const nameOf = (topic: string, about: string) => `${topic} of ${about}`
  for (const { topic, about } of messages) {
    if (toldOf[topic]?.has(about) !== true)
      faults.add('message', `${nameOf(topic, about)}: there is no such thing`)
    told.set(nameOf(topic, about), (told.get(nameOf(topic, about)) ?? 0) + 1)
  }
  for (const [topic, all] of Object.entries(toldOf)) {
    for (const about of all) {
      const count = told.get(nameOf(topic, about)) ?? 0
      if (count !== 1) faults.add('message', `${nameOf(topic, about)} was published ${count} times`)
    }
  }
}

/** Compares what came to the broker with the outbox: all of it, nothing else, each key in its order. */
export function checkRelayed(
  messages: readonly StoredMessage[],
  arrived: ReadonlySet<string>,
  faults: FaultList,
): void {
  const known = new Map(messages.map((message, index) => [message.id, { ...message, index }]))
  const last = new Map<string, number>()
  for (const id of arrived) {
    const message = known.get(id)
    if (message === undefined) {
      faults.add('message', `message ${id} came, which is not in the outbox`)
    } else if (message.key !== null) {
      const before = last.get(message.key) ?? -1
      if (message.index < before) {
        faults.add('message', `message ${id} of key "${message.key}" came after a later one`)
      }
      last.set(message.key, Math.max(before, message.index))
    }
  }
  for (const { id, topic, about } of messages) {
    if (!arrived.has(id)) faults.add('message', `message ${id}, ${topic} of ${about}, never came`)
  }
}

/**
 * Checks that the broker has what the relay has passed since the last look.
 *
 * @param after where the last look ended.
 * @returns where this one has ended.
 */
export async function checkPassed(
  asks: Pick<pg.ClientBase, 'query'>,
  arrived: ReadonlySet<string>,
  after: bigint,
  faults: FaultList,
): Promise<bigint> {
  const { rows } = await asks.query<{ position: string; ids: readonly string[] }>(
    /* sql */ `
    select s.position::text, array(
      select o.message_id::text
      from tidemark.outbox_commits as c
      join tidemark.outbox as o using (incarnation, transaction_id)
      where c.position > $1 and c.position <= s.position
    ) as ids
    from tidemark.subscriptions as s
    where s.kind = 'relay'`,
    [after.toString()],
  )
  const [relay] = rows
  if (relay === undefined) return after
  for (const id of relay.ids) {
    if (!arrived.has(id)) faults.add('message', `message ${id} is passed and never came`)
  }
  const upto = BigInt(relay.position)
  return upto > after ? upto : after
}

/** Checks the outbox and its ledger, what is told of, and what has come to the broker. */
export async function checkOutbox(
  pool: pg.Pool,
  arrived: ReadonlySet<string>,
  faults: FaultList,
): Promise<void> {
  await checkLedger(pool, faults)
  const messages = await readMessages(pool)
  const toldOf = {
    'faults.deposited': await readIds(
      pool,
      "select event_id::text as id from tidemark.events where type = 'account.deposited'",
    ),
    'faults.noted': await readIds(pool, 'select id::text from faults.unrelated where id % 5 = 0'),
  }
  checkPublished(messages, toldOf, faults)
  checkRelayed(messages, arrived, faults)
}

/** Each commit that published has one row; positions are dense; from the WAL both ledgers have one order. */
async function checkLedger(pool: pg.Pool, faults: FaultList): Promise<void> {
  const { rows } = await pool.query<{ text: string }>(/* sql */ `
    select format('commit %s.%s holds %s messages, its row says %s',
      incarnation, transaction_id, coalesce(o.count, 0), coalesce(c.message_count, 0)) as text
    from (
      select incarnation, transaction_id, count(*)::integer as count
      from tidemark.outbox
      group by incarnation, transaction_id
    ) as o
    full join tidemark.outbox_commits as c using (incarnation, transaction_id)
    where o.count is distinct from c.message_count
    union all
    select format('outbox position %s does not follow %s', position, before)
    from (
      select position, message_count, lag(position, 1, 0::bigint) over (order by position) as before
      from tidemark.outbox_commits
    ) as c
    where position - message_count <> before
    union all
    select format('outbox position %s stands before %s, events in the other order', position, before)
    from (
      select o.position, lag(o.position) over (order by c.position) as before
      from tidemark.commits as c
      join tidemark.outbox_commits as o using (incarnation, transaction_id)
      where c.lsn is not null and o.lsn is not null
    ) as shared
    where before > position`)
  for (const { text } of rows) faults.add('message', text)
}

async function readMessages(pool: pg.Pool): Promise<readonly StoredMessage[]> {
  const { rows } = await pool.query<StoredMessage>(/* sql */ `
    select o.message_id::text as id, o.key, o.topic,
      coalesce(o.data ->> 'event', o.data ->> 'row') as about
    from tidemark.outbox as o
    left join tidemark.outbox_commits as c using (incarnation, transaction_id)
    order by c.position, o.insert_id`)
  return rows
}

async function readIds(pool: pg.Pool, text: string): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ id: string }>(text)
  return new Set(rows.map(({ id }) => id))
}
