import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const accountId = z.string()
const transferId = z.string()
const cents = z.int().positive()
/** A day of the bank, as 2026-11-22. */
const day = z.iso.date()

export const AccountOpened = event('account.opened').v(
  1,
  z.object({ accountId, dailyLimit: z.int(), ceiling: z.int() }),
)
export const Deposited = event('account.deposited').v(1, z.object({ accountId, cents }))
export const Withdrawn = event('account.withdrawn').v(1, z.object({ accountId, cents, day }))
export const Debited = event('account.debited').v(1, z.object({ accountId, transferId, cents }))
export const Credited = event('account.credited').v(1, z.object({ accountId, transferId, cents }))
export const DebitReturned = event('account.debit-returned').v(
  1,
  z.object({ accountId, transferId, cents }),
)
/** What was left is paid out. */
export const AccountClosed = event('account.closed').v(
  1,
  z.object({ accountId, paidOut: z.int().nonnegative() }),
)

export const accountEvents = [
  AccountOpened,
  Deposited,
  Withdrawn,
  Debited,
  Credited,
  DebitReturned,
  AccountClosed,
] as const

interface AccountState {
  readonly status: 'none' | 'open' | 'closed'
  readonly balance: number
  /** Most cents that can be withdrawn on one day. */
  readonly dailyLimit: number
  /** Most cents that the account can hold. */
  readonly ceiling: number
  /** What was withdrawn on the last day that saw a withdrawal. */
  readonly withdrawn: { readonly day: string; readonly cents: number }
}

interface Transferred {
  readonly accountId: string
  readonly transferId: string
  readonly cents: number
}

/**
 * An account. It knows nothing of the other side of a transfer, and remembers no transfers: that each is debited
 * and credited once is what the process and the log promise.
 */
export const Account = decider('account', {
  events: accountEvents,
  initial: (): AccountState => ({
    status: 'none',
    balance: 0,
    dailyLimit: 0,
    ceiling: 0,
    withdrawn: { day: '', cents: 0 },
  }),
  evolve: {
    'account.opened': (state, { data: { dailyLimit, ceiling } }) => ({
      ...state,
      status: 'open',
      dailyLimit,
      ceiling,
    }),
    'account.deposited': (state, { data }) => add(state, data.cents),
    'account.withdrawn': (state, { data }) => ({
      ...add(state, -data.cents),
      withdrawn: { day: data.day, cents: withdrawnOn(state, data.day) + data.cents },
    }),
    'account.debited': (state, { data }) => add(state, -data.cents),
    'account.credited': (state, { data }) => add(state, data.cents),
    'account.debit-returned': (state, { data }) => add(state, data.cents),
    'account.closed': (state, { data }) => ({ ...add(state, -data.paidOut), status: 'closed' }),
  },
  commands: {
    open: ({ status }, input: { accountId: string; dailyLimit: number; ceiling: number }) =>
      status === 'none' ? AccountOpened(input) : reject('account-exists'),

    deposit: (state, input: { accountId: string; cents: number }) =>
      refusal(state) ?? overfull(state, input.cents) ?? Deposited(input),

    withdraw: (state, input: { accountId: string; cents: number; day: string }) => {
      // One that comes late, after midnight, counts for the day that has begun.
      const day = input.day > state.withdrawn.day ? input.day : state.withdrawn.day
      const left = state.dailyLimit - withdrawnOn(state, day)
      if (input.cents > left) return refusal(state) ?? reject('daily-limit', { left })
      return refusal(state) ?? overdraft(state, input.cents) ?? Withdrawn({ ...input, day })
    },

    debit: (state, input: Transferred) =>
      refusal(state) ?? overdraft(state, input.cents) ?? Debited(input),

    credit: (state, input: Transferred) =>
      refusal(state) ?? overfull(state, input.cents) ?? Credited(input),

    // Nothing refuses it: what comes back to a closed or full account is kept for its owner.
    returnDebit: (_, input: Transferred) => DebitReturned(input),

    close: (state, input: { accountId: string }) =>
      refusal(state) ?? AccountClosed({ ...input, paidOut: state.balance }),
  },
  snapshot: { every: 100 },
})

function add(state: AccountState, cents: number): AccountState {
  return { ...state, balance: state.balance + cents }
}

function withdrawnOn({ withdrawn }: AccountState, day: string): number {
  return withdrawn.day === day ? withdrawn.cents : 0
}

function refusal({ status }: AccountState) {
  return status === 'open' ? undefined : reject('account-not-open', { status })
}

function overdraft({ balance }: AccountState, cents: number) {
  return cents > balance ? reject('overdraft', { balance }) : undefined
}

function overfull({ balance, ceiling }: AccountState, cents: number) {
  return balance + cents > ceiling ? reject('ceiling', { ceiling }) : undefined
}
