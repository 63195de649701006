import type pg from 'pg'
import { optionInvalid } from '../core/option-invalid.ts'
import { logNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { transaction } from '../db/transaction.ts'

/** A message of somebody else, by its name. */
export interface InboxMessage {
  /** Where it came from and for whom, such as a queue: ids are unique within it. */
  readonly source: string
  /** What its sender calls it, the same each time it comes: the `id` of a CloudEvent. */
  readonly id: string
}

export interface ConsumeOptions {
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
}

/** What became of a message that came. */
export type Consumed<T> =
  | { readonly outcome: 'processed'; readonly result: T }
  | { readonly outcome: 'duplicate' }

/**
 * Gives a message its effect once, however often it comes: that it had its effect is recorded in the transaction of
 * the effect. When it comes twice at once, the second waits, and is a duplicate, or has the effect if the first
 * failed. A crash before the commit leaves neither record nor effect, so tell the broker only afterwards.
 *
 * @param connection a pool, for a transaction of its own; or the caller's transaction, which the caller has to
 *   roll back when this throws.
 * @param effect what to do, all of it by the connection that it is given: append or execute with `{ tx }`.
 * @throws what the effect throws: then nothing is recorded, and the message can come again.
 * @example
 * const { outcome } = await consume(pool, { source: 'payments', id: event.id }, (tx) =>
 *   store.execute(Order, event.data.orderId, 'pay', {}, { tx }),
 * )
 */
export async function consume<T>(
  connection: pg.Pool | Connection,
  message: InboxMessage,
  effect: (tx: Connection) => Promise<T>,
  options: ConsumeOptions = {},
): Promise<Consumed<T>> {
  checkName('source', message.source)
  checkName('id', message.id)
  if (!isPool(connection)) return consumeWithin(connection, message, effect, options)
  return transaction(connection, (client) => consumeWithin(client, message, effect, options))
}

async function consumeWithin<T>(
  tx: Connection,
  { source, id }: InboxMessage,
  effect: (tx: Connection) => Promise<T>,
  { schema }: ConsumeOptions,
): Promise<Consumed<T>> {
  const names = logNames(schema)
  const [row] = await run<{ is_new: boolean }>(tx, {
    text: `select ${names.schema}.receive_message($1, $2) as is_new`,
    values: [source, id],
  })
  if (row?.is_new !== true) return { outcome: 'duplicate' }
  return { outcome: 'processed', result: await effect(tx) }
}

export interface TrimInboxOptions extends ConsumeOptions {
  /** Messages that had their effect before are forgotten. Longer ago than a broker may bring one again. */
  readonly before: Date
  /** How many are deleted in one transaction. Default 10,000. */
  readonly batchSize?: number
}

/**
 * Forgets old messages of the inbox, in transactions of their own. What it has forgotten counts as new when it comes.
 *
 * @returns how many.
 */
export async function trimInbox(pool: pg.Pool, options: TrimInboxOptions): Promise<bigint> {
  const { before, batchSize = 10_000, schema } = options
  const text = `select ${logNames(schema).schema}.trim_inbox($1, $2)::text as count`
  let trimmed = 0n
  for (;;) {
    const { rows } = await pool.query<{ count: string }>(text, [before, batchSize])
    const count = BigInt(rows[0]?.count ?? '0')
    trimmed += count
    if (count < BigInt(batchSize)) return trimmed
  }
}

function isPool(connection: pg.Pool | Connection): connection is pg.Pool {
  return 'totalCount' in connection
}

/** As long as the table takes them. */
const maxBytes = 1_000

function checkName(option: string, name: unknown): void {
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > maxBytes) {
    throw optionInvalid(option, `it has to be text of 1 to ${maxBytes} bytes`)
  }
}
