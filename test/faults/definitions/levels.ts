import { sql } from 'kysely'
import { bigint, integer, table, text } from '../../../src/index.ts'
import { digest } from '../../worker/fixtures/account-rules.ts'
import { Deposited, Withdrawn } from '../../worker/fixtures/accounts.ts'

// What the tables hold, and how each level brings it there. A table of one name holds the same in every
// projection, so that the oracle knows by its name what belongs into it.

export const events = [Deposited, Withdrawn] as const

/** Of each account: its entries, in a digest that shows their order, and how many they are. */
const digests = table({ account: text().primaryKey(), digest: integer(), entries: integer() })

export const tables = {
  /** By `fold`. */
  folded: digests,
  /** By `each`. */
  stepped: digests,
  /** By `batch`: sums, because an account has several streams, whose events are summed in any order. */
  balances: table({ account: text().primaryKey(), balance: bigint(), entries: integer() }),
}

/** One handler for every type. */
export function always<Handler>(handler: Handler) {
  return { 'account.deposited': handler, 'account.withdrawn': handler }
}

/** What handlers read of an event. */
export interface Entry {
  readonly type: string
  readonly data: { readonly account: string; readonly amount: number }
}

/** The amount of an event, with its sign. */
export function entryOf({ type, data }: Entry): number {
  return type === 'account.deposited' ? data.amount : -data.amount
}

interface Digest {
  readonly digest: number
  readonly entries: number
}

/** Folds an event into the row of its account. */
export function fold(row: Digest | null, event: Entry): Digest {
  return { digest: digest(row?.digest, entryOf(event)), entries: (row?.entries ?? 0) + 1 }
}

/** The same by a statement. */
export function step(account: string, entry: number) {
  return sql`
    insert into stepped as s (account, digest, entries)
    values (${account}, ${entry}::integer + 101, 1)
    on conflict (account) do update
    set digest = (s.digest * 31 + excluded.digest) % 1000003, entries = s.entries + 1`
}

type Relation = ReturnType<typeof sql>

/** Sums the entries of many events at once. In order, so that no two who sum wait for each other. */
export function sum(relation: Relation, entry: Relation = entryInSql) {
  return sql`
    insert into balances as b (account, balance, entries)
    select e.data ->> 'account', sum(${entry}), count(*)
    from ${relation} as e
    group by 1
    order by 1
    on conflict (account) do update
    set balance = b.balance + excluded.balance, entries = b.entries + excluded.entries`
}

/** The amount of an event `e`, with its sign. */
export const entryInSql = sql`
  (e.data ->> 'amount')::bigint * case e.type when 'account.deposited' then 1 else -1 end`
