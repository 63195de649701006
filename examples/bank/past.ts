import type { ImportedEvent } from '../../src/index.ts'
import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import { Account, Deposited, Withdrawn } from './account.ts'
import type { BankStore } from './ledger.ts'
import { statements } from './statements.ts'

/**
 * Holds balances as of an earlier time against what the old bank's books had then, in two ways: the decider's
 * state at a time, and the projection at a position.
 *
 * `asOf` takes a time as well, but means the time of the *commit*, which for what was imported is today. So the
 * position of the last event that was *recorded* until then is looked up: the import was in that order.
 */
export async function checkPast(
  store: BankStore,
  accounts: readonly string[],
  imported: readonly ImportedEvent[],
  at: Date,
): Promise<Check> {
  const invariant = `balances at the end of last Tuesday (before ${at.toISOString().slice(0, 10)})`
  const balances = await balancesAt(store, await positionBefore(store, at))
  const states = new Map<string, number>()
  for (const id of accounts) {
    // `at` is inclusive, and the day ends before midnight.
    const moment = new Date(at.getTime() - 1)
    states.set(id, (await store.load(Account, id, { at: moment })).state.balance)
  }
  return checkEach(invariant, accounts, (id) => {
    const expected = balanceOf(id, imported, at)
    return [
      ...unlessEqual(`asOf of ${id}`, balances.get(id), BigInt(expected)),
      ...unlessEqual(`load of ${id}`, states.get(id), expected),
    ]
  })
}

async function positionBefore(store: BankStore, at: Date): Promise<bigint> {
  let position = 0n
  for await (const event of store.logEvents({ category: 'account', recordedTo: at })) {
    position = event.position
  }
  return position
}

async function balancesAt(
  store: BankStore,
  position: bigint,
): Promise<ReadonlyMap<string, bigint>> {
  const rows = await store.asOf(position, statements, (db) =>
    db.selectFrom('accounts').select(['account_id', 'balance']).execute(),
  )
  return new Map(rows.map((row) => [row.account_id, row.balance]))
}

function balanceOf(id: string, imported: readonly ImportedEvent[], at: Date): number {
  return imported
    .filter(({ streamId, recordedAt }) => streamId === `account-${id}` && (recordedAt ?? at) < at)
    .reduce((sum, { event }) => {
      if (Deposited.is(event)) return sum + event.data.cents
      return Withdrawn.is(event) ? sum - event.data.cents : sum
    }, 0)
}
