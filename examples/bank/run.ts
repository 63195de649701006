import pg from 'pg'
import { createStore, migrate } from '../../src/index.ts'
import { chance } from '../harness/chance.ts'
import type { Run } from '../harness/main.ts'
import { checkAudit, checkSeals } from '../harness/proof.ts'
import type { Outcome } from '../harness/report.ts'
import { untilSettled } from '../harness/settled.ts'
import { Workers } from '../harness/workers.ts'
import { Book } from './book.ts'
import {
  checkMoney,
  checkRules,
  checkStatements,
  checkTransfers,
  countTransfers,
} from './checks.ts'
import { type Client, runClient } from './client.ts'
import type { Control } from './controls.ts'
import { type BankStore, bankEvents, readLedger } from './ledger.ts'
import { lastTuesday, oldBank } from './old-bank.ts'
import { checkPast } from './past.ts'
import { readStatement } from './statement.ts'
import { tamper } from './tamper.ts'

const accountsOfOldBank = Array.from({ length: 20 }, (_, index) => `a${index + 1}`)

/** Stores that clients share, as if they were so many application servers: only these race each other. */
const storeCount = 5

/** How long nothing may happen while transfers are still under way. */
const stallMs = 30_000

/** Opens the bank, lets clients and chaos loose on it, and checks the books when all is quiet again. */
export async function runBank(run: Run<Control>): Promise<Outcome> {
  const { connectionString, seed, signal } = run
  const random = chance(`bank ${seed}`)
  await migrate({ connectionString })
  await using store = await createStore({ connectionString, events: bankEvents })
  const book = new Book()
  const now = new Date()
  const imported = oldBank(accountsOfOldBank, now, random.named('old bank'))
  await store.importEvents(imported, { key: 'old bank', signal })
  for (const { event } of imported) book.enter(event)

  await using workers = new Workers({
    program: new URL('./worker.ts', import.meta.url),
    count: run.workers,
    env: { DATABASE_URL: connectionString, BANK_BREAK: run.break ?? '' },
    chance: random.named('workers'),
  })
  await workers.begun()
  await runClients(run, book)
  workers.calm()
  const unsettled = await untilQuiet(store, run)
  if (run.break === 'tamper') await tamper(store, connectionString)
  const ledger = await readLedger(store)
  const checks = [
    await checkMoney(store, ledger, book),
    checkTransfers(ledger, book),
    await checkStatements(store, ledger),
    checkRules(ledger),
    await checkPast(store, accountsOfOldBank, imported, lastTuesday(now)),
    { invariant: 'nothing is stuck, failed or left over', looked: 1, faults: unsettled },
    {
      invariant: 'a worker ends only when it is killed',
      looked: workers.killed,
      faults: workers.faults,
    },
    await checkSeals(store),
    await checkAudit(store),
  ]
  const { done, undone, refused } = countTransfers(ledger)
  const refusals = [...book.refused].map(([code, count]) => `${code} ${count}`).join(', ')
  return {
    did: {
      'events imported from the old bank': imported.length,
      'commands accepted': book.accepted,
      'commands refused': book.refused.size === 0 ? 0 : refusals,
      'commands sent twice, carried out once': book.repeated,
      'commands that lost ten races, and went again': book.conflicts,
      'transfers done': done,
      'transfers undone: the other account refused': undone,
      'transfers refused at once': refused,
      'worker processes started': workers.started,
      'of them killed (SIGKILL)': workers.killed,
      'cents in the bank': `${book.deposited} in - ${book.withdrawn} out = ${book.deposited - book.withdrawn}`,
    },
    shown: [await readStatement(store, accountsOfOldBank[0] ?? '')],
    checks,
  }
}

/** Has clients send commands for so many seconds. */
async function runClients(run: Run<Control>, book: Book): Promise<void> {
  const { connectionString, seed, seconds, signal } = run
  const events = bankEvents
  const opening = Array.from({ length: storeCount }, () =>
    createStore({ connectionString, events, maxConnections: 4 }),
  )
  const stores = await Promise.all(opening)
  const began = performance.now()
  const accounts = [...accountsOfOldBank]
  const over = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)])
  const clients = Array.from({ length: run.clients }, (_, index): Client => {
    const name = `c${index + 1}`
    return {
      name,
      store: stores[index % storeCount] as BankStore,
      chance: chance(`bank ${seed}/${name}`),
      accounts,
      kept: accountsOfOldBank.length,
      today: () => bankDay(began),
      book,
    }
  })
  try {
    await Promise.all(clients.map((client) => runClient(client, over)))
  } finally {
    await Promise.all(stores.map((one) => one.close()))
  }
  signal.throwIfAborted()
}

/** The bank lives a day in a second, so that a run sees limits and new days. */
function bankDay(began: number): string {
  const days = Math.floor((performance.now() - began) / 1_000)
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
}

async function untilQuiet(
  store: BankStore,
  { connectionString, signal }: Run<Control>,
): Promise<readonly string[]> {
  const pool = new pg.Pool({ connectionString, max: 1 })
  pool.on('error', () => {})
  try {
    return await untilSettled(store, { pool, stallMs, signal })
  } finally {
    await pool.end()
  }
}
