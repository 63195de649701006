import { creditData, randomAccounts } from './accounts.ts'

/** What an account was credited with, as found by a projection. */
export interface Balance {
  readonly account: number
  readonly cents: number
  readonly credits: number
}

/** The accounts of the first events that the benchmarks write, in their order. */
export function firstAccounts(events: number): readonly number[] {
  const accounts = randomAccounts()
  return Array.from({ length: events }, () => accounts.next().value)
}

/**
 * Requires that a projection of the first events into so many keys applied each of them once.
 *
 * @throws an error that names the first account whose sums are wrong.
 */
export function requireBalances(
  who: string,
  found: readonly Balance[],
  { events, keys }: { readonly events: number; readonly keys: number },
): void {
  const expected = new Map<number, Balance>()
  for (const number of firstAccounts(events)) {
    const account = number % keys
    const { cents, credits } = expected.get(account) ?? { cents: 0, credits: 0 }
    expected.set(account, {
      account,
      cents: cents + creditData(number).cents,
      credits: credits + 1,
    })
  }
  for (const balance of found) {
    const { account } = balance
    const right = expected.get(account)
    expected.delete(account)
    if (right?.cents === balance.cents && right.credits === balance.credits) continue
    throw new Error(`${who}: account ${account} is ${show(balance)}, expected ${show(right)}`)
  }
  const [missing] = expected.values()
  if (missing === undefined) return
  throw new Error(`${who}: account ${missing.account} is missing, expected ${show(missing)}`)
}

function show(balance: Balance | undefined): string {
  if (balance === undefined) return 'none'
  return `${balance.credits} credits of ${balance.cents} cents`
}
