import type pg from 'pg'
import { pause } from '../../../src/db/wait.ts'
import type { NewEvent, Store } from '../../../src/index.ts'
import type { Random } from '../../support/random.ts'
import { Deposited, Withdrawn } from '../../worker/fixtures/accounts.ts'
import type { Calm } from '../kinds/calm.ts'
import { fateOf } from './fate-of.ts'
import type { Fate, Journal } from './journal.ts'

export interface WriterParts {
  readonly store: Store
  readonly pool: pg.Pool
  readonly journal: Pick<Journal, 'drawId' | 'settle'>
  readonly random: Random
  /** When to hold nothing for long. */
  readonly calm: Pick<Calm, 'signal'>
  /** Aborted when no more transactions are to begin. */
  readonly signal: AbortSignal
}

/** Few, so that writers meet. */
const accountCount = 12

/** What the ways to append have in common: events that say what was seen, and the journal. */
export class Writer {
  readonly store: Store
  readonly pool: pg.Pool
  readonly journal: WriterParts['journal']
  readonly random: Random
  readonly signal: AbortSignal
  readonly #calm: WriterParts['calm']

  constructor(parts: WriterParts) {
    this.store = parts.store
    this.pool = parts.pool
    this.journal = parts.journal
    this.random = parts.random
    this.signal = parts.signal
    this.#calm = parts.calm
  }

  account(): string {
    return `a${this.random.between(1, accountCount)}`
  }

  /** An account that nobody else writes, for who holds its rows for long. */
  ownAccount(): string {
    return `own-${this.journal.drawId()}`
  }

  /** One of the streams of an account: who writes its row need not be a writer of the same stream. */
  streamOf(account: string): string {
    return this.random.chance(0.3) ? `second-${account}` : `account-${account}`
  }

  /** Makes events that carry what a plain statement has just shown as committed. */
  async events(
    asks: Pick<pg.ClientBase, 'query'>,
    account: string,
    count: number,
  ): Promise<readonly IdentifiedEvent[]> {
    const seen = await readNewest(asks)
    return Array.from({ length: count }, () => {
      const data = { account, amount: this.random.between(1, 100) }
      const id = this.journal.drawId()
      const options = { id, metadata: { seen }, tags: [`account:${account}`] }
      const made = this.random.chance(0.6) ? Deposited(data, options) : Withdrawn(data, options)
      return { ...made, id }
    })
  }

  /** Makes an append of its own transaction, and records what became of it. */
  async record(
    kind: string,
    events: readonly IdentifiedEvent[],
    append: () => Promise<unknown>,
  ): Promise<void> {
    let fate: Fate = 'unknown'
    try {
      await append()
      fate = 'committed'
    } catch (error) {
      fate = fateOf(error)
      throw error
    } finally {
      this.journal.settle(kind, idsOf(events), fate)
    }
  }

  /**
   * Runs a transaction and records what became of the events that `write` returns. Until COMMIT is sent
   * nothing can have been kept. What is committed asynchronously is acknowledged before it is on the
   * disk: a crash of the server may undo it, as a whole.
   */
  async transaction(
    kind: string,
    write: (client: pg.PoolClient) => Promise<readonly IdentifiedEvent[]>,
    end: 'commit' | 'commit asynchronously' | 'rollback' = 'commit',
  ): Promise<void> {
    const client = await this.pool.connect()
    let events: readonly IdentifiedEvent[] = []
    let fate: Fate = 'absent'
    let broken = true
    try {
      await client.query('begin')
      if (end === 'commit asynchronously') {
        await client.query('set local synchronous_commit = off')
      }
      events = await write(client)
      if (end !== 'rollback') fate = 'unknown'
      const { command } = await client.query(end === 'rollback' ? 'rollback' : 'commit')
      if (command !== 'COMMIT') fate = 'absent'
      else if (end === 'commit') fate = 'committed'
      broken = false
    } catch (error) {
      if (fate === 'unknown') fate = fateOf(error)
      throw error
    } finally {
      client.release(broken)
      this.journal.settle(kind, idsOf(events), fate)
    }
  }

  /** Holds whatever is held for a moment, or less when the run ends or somebody asks for calm. */
  async hold(minMs: number, maxMs: number): Promise<void> {
    const ended = AbortSignal.any([this.signal, this.#calm.signal])
    await pause(this.random.between(minMs, maxMs), ended)
  }
}

/** An event whose id is known before it is appended. */
export type IdentifiedEvent = NewEvent & { readonly id: string }

export function idsOf(events: readonly IdentifiedEvent[]): readonly string[] {
  return events.map(({ id }) => id)
}

/** Ids of events of the newest transactions that are committed, others' than the reader's own. */
async function readNewest(asks: Pick<pg.ClientBase, 'query'>): Promise<readonly string[]> {
  const { rows } = await asks.query<{ id: string }>(/* sql */ `
    select event_id::text as id
    from tidemark.events
    where transaction_id is distinct from pg_current_xact_id_if_assigned()
    order by incarnation desc, transaction_id desc, insert_id desc
    limit 3`)
  return rows.map(({ id }) => id)
}
