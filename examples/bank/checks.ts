import { type Check, checkEach, unlessEqual } from '../harness/check.ts'
import { Account } from './account.ts'
import type { Book } from './book.ts'
import type { BankStore, Ledger, TransferRecord } from './ledger.ts'
import { statements } from './statements.ts'

/** Money is neither made nor lost: what the bank has, the log, and what clients were told agree. */
export async function checkMoney(store: BankStore, ledger: Ledger, book: Book): Promise<Check> {
  const db = await store.query(statements)
  const { total } = await db
    .selectFrom('accounts')
    .select((eb) => eb.fn.sum<string>('balance').as('total'))
    .executeTakeFirstOrThrow()
  return {
    invariant: 'the sum of all balances is deposits less withdrawals',
    looked: ledger.accounts.size,
    faults: [
      ...unlessEqual('all balances', BigInt(total), book.deposited - book.withdrawn),
      ...unlessEqual('deposits in the log', ledger.deposited, book.deposited),
      ...unlessEqual('withdrawals in the log', ledger.withdrawn, book.withdrawn),
    ],
  }
}

const done = { requested: 1, debited: 1, credited: 1, returned: 0, completed: 1, failed: 0 }
const undone = { requested: 1, debited: 1, credited: 0, returned: 1, completed: 0, failed: 1 }
const refused = { requested: 1, debited: 0, credited: 0, returned: 0, completed: 0, failed: 1 }

/** Each transfer that a client was promised is in exactly one of three states. */
export function checkTransfers({ transfers }: Ledger, book: Book): Check {
  const ids = new Set([...transfers.keys(), ...book.transfers])
  return checkEach('a transfer is done on both sides or on neither', ids, (id) => {
    const record = transfers.get(id)
    const isSound =
      record !== undefined && [done, undone, refused].some((one) => equal(one, record))
    const isPromised = book.transfers.has(id)
    return [
      ...(isSound ? [] : [`${id}: ${JSON.stringify(record)}`]),
      ...(isPromised ? [] : [`${id}: no client has asked for it`]),
    ]
  })
}

/** That there were some of each kind, or the check above would not say much. */
export function countTransfers({ transfers }: Ledger) {
  const count = (kind: TransferRecord) =>
    [...transfers.values()].filter((one) => equal(one, kind)).length
  return { done: count(done), undone: count(undone), refused: count(refused) }
}

function equal(a: TransferRecord, b: TransferRecord): boolean {
  return (Object.keys(a) as (keyof TransferRecord)[]).every((key) => a[key] === b[key])
}

/** The projection, the sum of its lines, the decider's state and the log come to the same for each account. */
export async function checkStatements(store: BankStore, ledger: Ledger): Promise<Check> {
  const db = await store.query(statements)
  const rows = await db
    .selectFrom('accounts as a')
    .innerJoin('entries as e', 'e.account_id', 'a.account_id')
    .groupBy(['a.account_id', 'a.balance', 'a.status'])
    .select(['a.account_id', 'a.balance', 'a.status'])
    .select((eb) => eb.fn.sum<string>('e.cents').as('lines'))
    .execute()
  const byId = new Map(rows.map((row) => [row.account_id, row]))
  const states = new Map<string, { balance: number; status: string }>()
  for (const id of ledger.accounts.keys()) states.set(id, (await store.load(Account, id)).state)
  const ids = new Set([...byId.keys(), ...ledger.accounts.keys()])
  return checkEach('a statement is the fold of its stream', ids, (id) => {
    const expected = BigInt(ledger.accounts.get(id)?.balance ?? -1)
    const [row, state] = [byId.get(id), states.get(id)]
    return [
      ...unlessEqual(`projected balance of ${id}`, row?.balance, expected),
      ...unlessEqual(`lines of ${id}`, BigInt(row?.lines ?? -1), expected),
      ...unlessEqual(`decider's balance of ${id}`, BigInt(state?.balance ?? -1), expected),
      ...unlessEqual(`projected status of ${id}`, row?.status, state?.status),
    ]
  })
}

/** What the decider refuses has not happened, in whatever order the commands came. */
export function checkRules({ accounts }: Ledger): Check {
  return checkEach('no overdraft, no day over its limit', accounts, ([id, account]) => {
    const { lowest, dailyLimit, withdrawnOn } = account
    const over = [...withdrawnOn].filter(([, cents]) => cents > dailyLimit)
    return [
      ...(lowest < 0 ? [`${id} was at ${lowest}`] : []),
      ...over.map(([day, cents]) => `${id} paid out ${cents} on ${day}, limit ${dailyLimit}`),
    ]
  })
}
