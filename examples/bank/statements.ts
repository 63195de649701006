import {
  bigint,
  type EventOf,
  enumeration,
  projection,
  table,
  text,
  timestamptz,
} from '../../src/index.ts'
import { accountEvents } from './account.ts'

type AccountEvent = EventOf<(typeof accountEvents)[number]>

interface AccountRow {
  readonly status: 'open' | 'closed'
  readonly balance: bigint
}

/** A statement for each account: its lines, and what they come to. */
export const statements = projection('statements', {
  version: 1,
  events: accountEvents,
  tables: {
    /** What each account holds. */
    accounts: table({
      account_id: text().primaryKey(),
      status: enumeration('open', 'closed'),
      balance: bigint(),
    }),
    /** The lines of its statement, numbered as the events of its stream. */
    entries: table({
      account_id: text().primaryKey(),
      number: bigint().primaryKey(),
      entry: text(),
      cents: bigint(),
      booked_at: timestamptz(),
    }),
  },
})
  .fold('accounts', {
    key: ({ data }) => ({ account_id: data.accountId }),
    on: onEach((row: AccountRow | null, event) => ({
      status: event.type === 'account.closed' ? 'closed' : (row?.status ?? 'open'),
      balance: (row?.balance ?? 0n) + BigInt(changeBy(event)),
    })),
  })
  .fold('entries', {
    key: ({ data, version }) => ({ account_id: data.accountId, number: version }),
    on: onEach((_: unknown, event) => ({
      entry: event.type.slice('account.'.length),
      cents: BigInt(changeBy(event)),
      booked_at: event.recordedAt,
    })),
  })

/** By how many cents an event changes the balance. */
function changeBy(event: AccountEvent): number {
  switch (event.type) {
    case 'account.opened':
      return 0
    case 'account.deposited':
    case 'account.credited':
    case 'account.debit-returned':
      return event.data.cents
    case 'account.withdrawn':
    case 'account.debited':
      return -event.data.cents
    case 'account.closed':
      return -event.data.paidOut
  }
}

/** One reducer for all types. */
function onEach<R, Row>(reducer: (row: R, event: AccountEvent) => Row) {
  return {
    'account.opened': reducer,
    'account.deposited': reducer,
    'account.withdrawn': reducer,
    'account.debited': reducer,
    'account.credited': reducer,
    'account.debit-returned': reducer,
    'account.closed': reducer,
  }
}
