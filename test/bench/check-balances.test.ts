import { expect, test } from 'vitest'
import { type Balance, firstAccounts, requireBalances } from '../../bench/check-balances.ts'

const size = { events: 100, keys: 10 }

test('accepts the sums of each event applied once', () => {
  expect(() => requireBalances('x', sumsOf(firstAccounts(100)), size)).not.toThrow()
})

test('refuses sums that lost an event', () => {
  const [lost = 0, ...rest] = firstAccounts(100)
  expect(() => requireBalances('x', sumsOf(rest), size)).toThrow(`x: account ${lost % 10} is `)
})

test('refuses sums that repeated an event', () => {
  const accounts = firstAccounts(100)
  const [repeated = 0] = accounts
  const sums = sumsOf([...accounts, repeated])
  expect(() => requireBalances('x', sums, size)).toThrow(`x: account ${repeated % 10} is `)
})

test('refuses an event that was lost here and repeated there', () => {
  const [lost = 0, ...rest] = firstAccounts(100)
  const sums = sumsOf([...rest, lost + 1])
  expect(() => requireBalances('x', sums, size)).toThrow(/^x: account \d is \d+ credits of /)
})

test('refuses an account that is missing, one that nobody credited, and one that is there twice', () => {
  const sums = sumsOf(firstAccounts(100))
  const [first] = sums
  if (first === undefined) throw new Error('no account was credited')
  const stray = { account: 10, cents: 4_200, credits: 1 }
  expect(() => requireBalances('x', sums.slice(1), size)).toThrow(
    `x: account ${first.account} is missing, expected ${first.credits} credits of `,
  )
  expect(() => requireBalances('x', [...sums, stray], size)).toThrow(
    'x: account 10 is 1 credits of 4200 cents, expected none',
  )
  expect(() => requireBalances('x', [...sums, first], size)).toThrow('expected none')
})

function sumsOf(accounts: readonly number[]): readonly Balance[] {
  return Array.from({ length: 10 }, (_, account) => {
    const credits = accounts.filter((number) => number % 10 === account).length
    return { account, cents: credits * 4_200, credits }
  }).filter(({ credits }) => credits > 0)
}
