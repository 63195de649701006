import type { EventOf, Store } from '../../src/index.ts'
import { accountEvents } from './account.ts'
import { transferEvents } from './transfer.ts'

export const bankEvents = [...accountEvents, ...transferEvents] as const

type BankEvent = EventOf<(typeof bankEvents)[number]>

export type BankStore = Store<(typeof bankEvents)[number]>

/** What the log says of an account, added up without its decider. */
export interface AccountRecord {
  balance: number
  lowest: number
  dailyLimit: number
  readonly withdrawnOn: Map<string, number>
}

/** How often the log has each event of a transfer. */
export interface TransferRecord {
  requested: number
  debited: number
  credited: number
  returned: number
  completed: number
  failed: number
}

export interface Ledger {
  events: number
  deposited: bigint
  withdrawn: bigint
  readonly accounts: Map<string, AccountRecord>
  readonly transfers: Map<string, TransferRecord>
}

/** Reads the whole log and adds it up. */
export async function readLedger(store: BankStore): Promise<Ledger> {
  const ledger: Ledger = {
    events: 0,
    deposited: 0n,
    withdrawn: 0n,
    accounts: new Map(),
    transfers: new Map(),
  }
  for await (const event of store.logEvents({ types: bankEvents.map(({ type }) => type) })) {
    ledger.events += 1
    const enter = entries[event.type] as (ledger: Ledger, data: unknown) => void
    enter(ledger, event.data)
  }
  return ledger
}

type DataOf<Type> = Extract<BankEvent, { readonly type: Type }>['data']

const entries: {
  readonly [Type in BankEvent['type']]: (ledger: Ledger, data: DataOf<Type>) => void
} = {
  'account.opened': (ledger, data) => {
    accountOf(ledger, data).dailyLimit = data.dailyLimit
  },
  'account.deposited': (ledger, data) => {
    ledger.deposited += BigInt(data.cents)
    move(ledger, data, data.cents)
  },
  'account.withdrawn': (ledger, data) => {
    const { withdrawnOn } = accountOf(ledger, data)
    withdrawnOn.set(data.day, (withdrawnOn.get(data.day) ?? 0) + data.cents)
    ledger.withdrawn += BigInt(data.cents)
    move(ledger, data, -data.cents)
  },
  'account.closed': (ledger, data) => {
    ledger.withdrawn += BigInt(data.paidOut)
    move(ledger, data, -data.paidOut)
  },
  'account.debited': (ledger, data) => {
    transferOf(ledger, data).debited += 1
    move(ledger, data, -data.cents)
  },
  'account.credited': (ledger, data) => {
    transferOf(ledger, data).credited += 1
    move(ledger, data, data.cents)
  },
  'account.debit-returned': (ledger, data) => {
    transferOf(ledger, data).returned += 1
    move(ledger, data, data.cents)
  },
  'transfer.requested': (ledger, data) => {
    transferOf(ledger, data).requested += 1
  },
  'transfer.completed': (ledger, data) => {
    transferOf(ledger, data).completed += 1
  },
  'transfer.failed': (ledger, data) => {
    transferOf(ledger, data).failed += 1
  },
}

function move(ledger: Ledger, data: { readonly accountId: string }, cents: number): void {
  const account = accountOf(ledger, data)
  account.balance += cents
  account.lowest = Math.min(account.lowest, account.balance)
}

function accountOf({ accounts }: Ledger, { accountId }: { accountId: string }): AccountRecord {
  const known = accounts.get(accountId)
  if (known !== undefined) return known
  const account = { balance: 0, lowest: 0, dailyLimit: 0, withdrawnOn: new Map() }
  accounts.set(accountId, account)
  return account
}

function transferOf({ transfers }: Ledger, { transferId }: { transferId: string }): TransferRecord {
  const known = transfers.get(transferId)
  if (known !== undefined) return known
  const transfer = { requested: 0, debited: 0, credited: 0, returned: 0, completed: 0, failed: 0 }
  transfers.set(transferId, transfer)
  return transfer
}
