import { test } from 'vitest'
import {
  Account,
  AccountClosed,
  AccountOpened,
  DebitReturned,
  Deposited,
  Withdrawn,
} from '../../../examples/bank/account.ts'
import { given } from '../../../src/testing/index.ts'

const accountId = 'a1'
const opened = AccountOpened({ accountId, dailyLimit: 100, ceiling: 500 })
const deposited = Deposited({ accountId, cents: 300 })
const on = (day: string, cents: number) => ({ accountId, cents, day })

test('refuses an overdraft and says what is there', () => {
  given(Account, opened, Deposited({ accountId, cents: 30 }))
    .when('withdraw', on('2026-11-22', 31))
    .thenRejected('overdraft', { balance: 30 })
})

test('counts withdrawals of a day against its limit', () => {
  const given60 = given(Account, opened, deposited, Withdrawn(on('2026-11-22', 60)))
  given60.when('withdraw', on('2026-11-22', 41)).thenRejected('daily-limit', { left: 40 })
  given60.when('withdraw', on('2026-11-22', 40)).then(Withdrawn(on('2026-11-22', 40)))
  given60.when('withdraw', on('2026-11-23', 100)).then(Withdrawn(on('2026-11-23', 100)))
})

test('books a withdrawal that comes after midnight on the day that has begun', () => {
  const tomorrow = given(Account, opened, deposited, Withdrawn(on('2026-11-23', 60)))
  tomorrow.when('withdraw', on('2026-11-22', 40)).then(Withdrawn(on('2026-11-23', 40)))
  tomorrow.when('withdraw', on('2026-11-22', 41)).thenRejected('daily-limit', { left: 40 })
})

test('keeps what comes back to a closed account', () => {
  const transfer = { accountId, transferId: 't1', cents: 5 }
  const closed = given(Account, opened, deposited, AccountClosed({ accountId, paidOut: 300 }))
  closed.when('credit', transfer).thenRejected('account-not-open', { status: 'closed' })
  closed.when('returnDebit', transfer).then(DebitReturned(transfer))
})
