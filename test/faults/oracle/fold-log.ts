import { digest, largeAmount, trail } from '../../worker/fixtures/account-rules.ts'
import type { LogEvent } from './check-log.ts'
import type { FaultList } from './fault-list.ts'

interface Account {
  readonly balance: number
  readonly entries: number
  readonly trail: string
  readonly digest: number
}

const none: Account = { balance: 0, entries: 0, trail: '', digest: 0 }

/** What a table holds of an account, as one text: whatever projection and level it is of. */
const contents = {
  balances: ({ balance, entries }: Account) => `${balance} ${entries}`,
  lasts: (account: Account) => account.trail,
  folded: (account: Account) => `${account.digest} ${account.entries}`,
  stepped: (account: Account) => `${account.digest} ${account.entries}`,
}

export type TableName = keyof typeof contents

export const tableNames = Object.keys(contents) as readonly TableName[]

/** Everything that the projections and the reactors of these tests make of a log, by a plain fold. */
export class FoldedLog {
  readonly #accounts = new Map<string, Account>()
  readonly #jobs = new Map<string, bigint>()

  take({ id, type, data }: LogEvent, position: bigint): void {
    const sign = type === 'account.deposited' ? '+' : '-'
    const entry = Number(`${sign}${data.amount}`)
    const account = this.#accounts.get(data.account) ?? none
    this.#accounts.set(data.account, {
      balance: account.balance + entry,
      entries: account.entries + 1,
      trail: trail(account.trail, `${sign}${data.amount}`),
      digest: digest(account.digest, entry),
    })
    if (sign === '+' && data.amount > largeAmount) this.#jobs.set(id, position)
  }

  /** The rows of a table, as {@link checkTable} takes them: by account. */
  rows(table: TableName): ReadonlyMap<string, string> {
    return new Map([...this.#accounts].map(([name, account]) => [name, contents[table](account)]))
  }

  /** Events that ask for a job, with their positions. */
  get jobs(): ReadonlyMap<string, bigint> {
    return this.#jobs
  }
}

/** Compares a table's rows, by account, with those of the fold. */
export function checkTable(
  name: string,
  found: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
  faults: FaultList,
): void {
  for (const account of new Set([...wanted.keys(), ...found.keys()])) {
    const [is, belongs] = [found.get(account), wanted.get(account)]
    if (is !== belongs) faults.add('projection', `${name}: ${account} is "${is}", not "${belongs}"`)
  }
}
