import pg from 'pg'
import { pause } from '../../src/db/wait.ts'
import { LogChecker } from './oracle/check-log.ts'
import type { FaultList } from './oracle/fault-list.ts'
import { readCommits } from './oracle/read-log.ts'

const pageSize = 500
const pauseMs = 20
/** Looking over the whole ledger again takes at most this part of the time. */
const recheckShare = 0.05

/**
 * Reads the log behind the head while everything happens, on a connection of its own, and checks it as
 * it grows. Remembers the position of each transaction once seen, and looks again and again whether it
 * is still the same.
 */
export class Watcher {
  readonly #connectionString: string
  readonly #faults: FaultList
  readonly #log: LogChecker
  readonly #seen = new Map<string, bigint>()

  constructor(connectionString: string, faults: FaultList) {
    this.#connectionString = connectionString
    this.#faults = faults
    this.#log = new LogChecker(faults)
  }

  /** Positions that were seen. */
  get position(): bigint {
    return this.#log.last
  }

  /** Watches until aborted; connects anew when the connection is lost. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const client = new pg.Client({ connectionString: this.#connectionString })
      client.on('error', () => {}) // the next query reports it
      try {
        await client.connect()
        await this.#watch(client, signal)
      } catch {
        await pause(pauseMs, signal)
      } finally {
        await client.end().catch(() => {})
      }
    }
  }

  /** Looks whether each transaction is where it was seen first. */
  async recheck(asks: Pick<pg.ClientBase, 'query'>): Promise<void> {
    const { rows } = await asks.query<{ transaction: string; position: string }>(
      /* sql */ `
      select incarnation || '.' || transaction_id as transaction, position::text
      from tidemark.commits`,
    )
    const now = new Map(rows.map((row) => [row.transaction, BigInt(row.position)]))
    for (const [transaction, position] of this.#seen) {
      const found = now.get(transaction)
      if (found === position) continue
      this.#faults.add('moved', `transaction ${transaction} was at ${position}, now at ${found}`)
    }
  }

  async #watch(client: pg.Client, signal: AbortSignal): Promise<void> {
    let nextRecheck = 0
    while (!signal.aborted) {
      const commits = await readCommits(client, this.#log.last, pageSize)
      for (const commit of commits) {
        this.#log.take(commit)
        this.#seen.set(commit.transaction, commit.position)
      }
      if (performance.now() > nextRecheck) {
        const began = performance.now()
        await this.recheck(client)
        const now = performance.now()
        nextRecheck = now + Math.max(1_000, (now - began) / recheckShare)
      }
      if (commits.length < pageSize) await pause(pauseMs, signal)
    }
  }
}
