import { hash } from 'node:crypto'
import { z } from 'zod'
import {
  type AnyProjection,
  bigint,
  event,
  integer,
  type NewEvent,
  projection,
  table,
} from '../src/index.ts'

/** The event that every benchmark writes: about 200 bytes of JSON. */
export const AccountCredited = event('account.credited').v(
  1,
  z.object({
    account: z.int(),
    cents: z.int(),
    currency: z.string(),
    reference: z.string(),
    note: z.string(),
  }),
)

/** Makes an event that credits an account. */
export function credit(account: number): NewEvent {
  return AccountCredited(creditData(account))
}

/** The data of {@link credit}, for a raw insert. */
export function creditData(account: number) {
  return {
    account,
    cents: 4200,
    currency: 'EUR',
    reference: `RF18-5390-0754-7034-${account}`,
    note: 'Credited by a standing order at the start of the month, in the name of its holder',
  }
}

/** Accounts that {@link randomAccounts} draws from. */
const accountCount = 100_000

/** Draws accounts, each as likely as the others: always the same ones in the same order. */
export function* randomAccounts(): Generator<number, never> {
  // A linear congruential generator (Numerical Recipes); its high bits are random enough here.
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield Math.floor((state / 2 ** 32) * accountCount)
  }
}

/**
 * Adds the credits up into as many rows as there are to be keys.
 *
 * @param rounds of hashing that each event costs besides: 100 take about a tenth of a millisecond.
 */
export function balances(keys: number, version: number, rounds = 0): AnyProjection {
  return projection(`balances_${keys}`, {
    version,
    events: [AccountCredited],
    canBeInline: true,
    tables: {
      balances: table({ account: integer().primaryKey(), cents: bigint(), credits: integer() }),
    },
  }).fold('balances', {
    key: ({ data }) => ({ account: data.account % keys }),
    on: {
      'account.credited': (row, { data }) => {
        for (let round = 0; round < rounds; round += 1) hash('sha256', data.reference)
        return { cents: (row?.cents ?? 0n) + BigInt(data.cents), credits: (row?.credits ?? 0) + 1 }
      },
    },
  })
}
