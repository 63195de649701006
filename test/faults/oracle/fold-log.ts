import { largeAmount, trail } from '../../worker/fixtures/account-rules.ts'
import type { LogEvent } from './check-log.ts'
import type { FaultList } from './fault-list.ts'

interface Account {
  balance: number
  entries: number
  trail: string
}

/** Everything that the projections and the reactor of these tests make of a log, by a plain fold. */
export class FoldedLog {
  readonly #accounts = new Map<string, Account>()
  readonly #jobs = new Set<string>()

  take({ id, type, data }: LogEvent): void {
    const sign = type === 'account.deposited' ? '+' : '-'
    const account = this.#accounts.get(data.account) ?? { balance: 0, entries: 0, trail: '' }
    this.#accounts.set(data.account, {
      balance: account.balance + Number(`${sign}${data.amount}`),
      entries: account.entries + 1,
      trail: trail(account.trail, `${sign}${data.amount}`),
    })
    if (sign === '+' && data.amount > largeAmount) this.#jobs.add(id)
  }

  /** The rows of a table, as {@link checkTable} takes them: by account. */
  rows(table: 'balances' | 'lasts'): ReadonlyMap<string, string> {
    return new Map(
      [...this.#accounts].map(([name, account]) => [
        name,
        table === 'balances' ? `${account.balance} ${account.entries}` : account.trail,
      ]),
    )
  }

  /** Events that ask for a job. */
  get jobs(): ReadonlySet<string> {
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

/** Compares the jobs that were enqueued, by event, with those that the events ask for. */
export function checkJobs(
  found: readonly string[],
  wanted: ReadonlySet<string>,
  faults: FaultList,
): void {
  const counts = new Map<string, number>()
  for (const event of found) counts.set(event, (counts.get(event) ?? 0) + 1)
  for (const event of new Set([...wanted, ...counts.keys()])) {
    const [is, belongs] = [counts.get(event) ?? 0, wanted.has(event) ? 1 : 0]
    if (is !== belongs) faults.add('job', `event ${event} has ${is} jobs, not ${belongs}`)
  }
}
