import { z } from 'zod'
import { decider } from '../../src/core/decider.ts'
import { event } from '../../src/core/event.ts'
import { reject } from '../../src/core/rejection.ts'

export const Opened = event('account.opened').v(1, z.object({ owner: z.string() }))
export const Deposited = event('account.deposited')
  .v(1, z.object({ euros: z.number() }))
  .v(2, z.object({ cents: z.int() }), ({ euros }) => ({ cents: Math.round(euros * 100) }))
export const Withdrawn = event('account.withdrawn').v(1, z.object({ cents: z.int() }))

/** An account as a decider of the tests: small, and with every kind of decision. */
export const Account = decider('account', {
  events: [Opened, Deposited, Withdrawn],
  initial: () => ({ owner: null as string | null, cents: 0, movements: 0 }),
  evolve: {
    'account.opened': (s, e) => ({ ...s, owner: e.data.owner }),
    'account.deposited': (s, e) => ({
      ...s,
      cents: s.cents + e.data.cents,
      movements: s.movements + 1,
    }),
    'account.withdrawn': (s, e) => ({
      ...s,
      cents: s.cents - e.data.cents,
      movements: s.movements + 1,
    }),
  },
  commands: {
    open: (s, c: { owner: string }) =>
      s.owner === null ? Opened(c) : reject('already-open', { owner: s.owner }),
    deposit: (_, cents: number) => Deposited({ cents }),
    withdraw: (s, cents: number) =>
      cents <= s.cents ? Withdrawn({ cents }) : reject('short-of', { cents: cents - s.cents }),
    move: (s, amounts: readonly number[]) =>
      s.owner === null ? reject('not-open') : amounts.map((cents) => Deposited({ cents })),
    close: (s) => (s.cents === 0 ? [] : [Withdrawn({ cents: s.cents })]),
  },
})

const { events, initial, evolve, commands } = Account

/** What an account is, for deciders that decide otherwise. */
export const account = { events, initial, evolve }

/** The same account with snapshots. */
export const KeptAccount = decider('account', { ...account, commands, snapshot: { every: 5 } })
