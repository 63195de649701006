import { setTimeout as sleep } from 'node:timers/promises'
import { type Accepted, isTidemarkError, type Refused, type Store } from '../../src/index.ts'
import type { Chance } from '../harness/chance.ts'
import { Account } from './account.ts'
import type { Book } from './book.ts'
import { ceiling, dailyLimit } from './old-bank.ts'
import { Transfer } from './transfer.ts'

export interface Client {
  readonly name: string
  readonly store: Store
  readonly chance: Chance
  /** Accounts of the old bank, which stay, and below them those that clients have opened. All clients use all. */
  readonly accounts: string[]
  readonly kept: number
  /** The bank's day, as 2026-11-22. */
  readonly today: () => string
  readonly book: Book
}

type Command = () => Promise<Accepted | Refused>

/** Longest pause between two commands of a client. */
const pauseMs = 500

/** Sends one command after the other, drawn at random, until aborted. */
export async function runClient(client: Client, signal: AbortSignal): Promise<void> {
  const { chance, book } = client
  for (let call = 1; !signal.aborted; call += 1) {
    const command = drawCommand(client, `${client.name}.${call}`)
    // Who waits for an answer in vain sends the command again: with the same key, it acts once.
    const copies = chance.happens(0.05) ? 2 : 1
    book.note(await Promise.all(Array.from({ length: copies }, () => insist(command, book))))
    await sleep(chance.between(0, pauseMs), undefined, { signal }).catch(() => {})
  }
}

/** Sends a command until it was carried out or refused. */
async function insist(command: Command, book: Book): Promise<Accepted | Refused> {
  for (;;) {
    try {
      return await command()
    } catch (error) {
      if (!isTidemarkError(error, 'STREAM_VERSION_CONFLICT')) throw error
      book.conflicts += 1
    }
  }
}

function drawCommand(client: Client, key: string): Command {
  const { store, chance, accounts, kept, today } = client
  const accountId = chance.pick(accounts)
  const cents = chance.between(1, 300_00)
  const drawn = chance.between(1, 100)
  if (drawn <= 45) return drawTransfer(client, key)
  if (drawn <= 70)
    return () => store.execute(Account, accountId, 'deposit', { accountId, cents }, { key })
  if (drawn <= 92) {
    const input = { accountId, cents, day: today() }
    return () => store.execute(Account, accountId, 'withdraw', input, { key })
  }
  if (drawn <= 96 && accounts.length > kept) {
    const opened = chance.pick(accounts.slice(kept))
    return () => store.execute(Account, opened, 'close', { accountId: opened }, { key })
  }
  accounts.push(key)
  const input = { accountId: key, dailyLimit, ceiling }
  return () => store.execute(Account, key, 'open', input, { key })
}

function drawTransfer({ store, chance, accounts }: Client, transferId: string): Command {
  const from = chance.pick(accounts)
  const to = chance.happens(0.05) ? 'nobody' : chance.pick(accounts)
  const input = { transferId, from, to, cents: chance.between(1, 300_00) }
  return () => store.execute(Transfer, transferId, 'request', input, { key: transferId })
}
