import pg from 'pg'
import { pause } from '../../src/db/wait.ts'
import { checkApplied } from './oracle/check-applied.ts'
import { checkInline } from './oracle/check-inline.ts'
import { LogChecker } from './oracle/check-log.ts'
import { checkPassed } from './oracle/check-outbox.ts'
import { checkParkedOrder } from './oracle/check-parked.ts'
import type { FaultList } from './oracle/fault-list.ts'
import { readCommits } from './oracle/read-log.ts'

const pageSize = 500
const pauseMs = 20
/** Looking over everything again takes at most this part of the time. */
const recheckShare = 0.1

/**
 * Reads the log behind the head while everything happens, on a connection of its own, and checks it as
 * it grows. Remembers the position of each transaction once seen, and looks again and again whether it
 * is still the same. Looks as often whether projections have applied what they have passed.
 */
export class Watcher {
  readonly #connectionString: string
  readonly #faults: FaultList
  readonly #log: LogChecker
  readonly #seen = new Map<string, bigint>()
  readonly #arrived: ReadonlySet<string> | undefined
  #passed = 0n
  #lag = 0n

  /** @param arrived ids of messages that have come to the broker, if there is one. */
  constructor(connectionString: string, faults: FaultList, arrived?: ReadonlySet<string>) {
    this.#connectionString = connectionString
    this.#arrived = arrived
    this.#faults = faults
    this.#log = new LogChecker(faults)
  }

  /** Positions that were seen. */
  get position(): bigint {
    return this.#log.last
  }

  /** How far projections were behind the log when it was last looked. */
  get lag(): bigint {
    return this.#lag
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

  async #checkMessages(client: pg.Client): Promise<void> {
    if (this.#arrived === undefined) return
    this.#passed = await checkPassed(client, this.#arrived, this.#passed, this.#faults)
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
        this.#lag = await readLag(client)
        await this.recheck(client)
        await checkApplied(client, this.#faults)
        await checkInline(client, this.#faults)
        await checkParkedOrder(client, this.#faults)
        await this.#checkMessages(client)
        const now = performance.now()
        nextRecheck = now + Math.max(1_000, (now - began) / recheckShare)
      }
      if (commits.length < pageSize) await pause(pauseMs, signal)
    }
  }
}

/** Of the versions that are shown and that workers apply. */
async function readLag(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ lag: string }>(/* sql */ `
    select coalesce(q.position - min(s.position), 0)::text as lag
    from tidemark.sequencer as q
    left join (
      tidemark.subscriptions as s
      join tidemark.projections as p on p.name = s.name and p.version = s.version
    ) on s.kind = 'projection' and s.state <> 'inline' and p.state = 'live'
      -- It is removed and begun anew.
      and s.name <> 'last_entries'
    group by q.position`)
  return BigInt(rows[0]?.lag ?? 0)
}
