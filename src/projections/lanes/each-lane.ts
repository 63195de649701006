import type { CompiledQuery, Kysely } from 'kysely'
import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { isTransient } from '../../db/sqlstate.ts'
import { handlerFailed } from '../../subscriptions/handler-failed.ts'
import type { Chunk, Lane } from '../../subscriptions/lane.ts'
import type { SubscriptionId } from '../../subscriptions/subscription-id.ts'
import { enterSchemas } from '../enter-schemas.ts'
import type { AnyEach } from '../projection.ts'
import { refuseTransactionControl } from '../query/exact-pool.ts'
import type { Tables } from '../tables/table.ts'
import { StatementNames } from './statement-names.ts'
import { compileWrites, type Writes, writerOf } from './writes.ts'

/** One version of a projection, as its lanes write it. */
export interface LaneTarget {
  readonly id: SubscriptionId
  readonly tables: Tables
  /** Schema of the version's tables. */
  readonly schema: string
}

/** A statement on its way, and the event that asked for it. */
interface Sent {
  readonly event: SequencedEvent
  readonly answer: Promise<unknown>
}

/**
 * Runs the handlers of the `each` level: one call an event, in order. The statements that they return
 * travel without waiting for each other's answers.
 */
export class EachLane implements Lane {
  readonly name = 'each'
  readonly #each: AnyEach
  readonly #target: LaneTarget
  readonly #names = new StatementNames()

  constructor(each: AnyEach, target: LaneTarget) {
    this.#each = each
    this.#target = target
  }

  keyOf(event: SequencedEvent): string | null {
    if (!Object.hasOwn(this.#each.on, event.type)) return null
    return this.#guard(event, () => this.#each.key?.(event) ?? event.streamId)
  }

  async apply(client: pg.ClientBase, { events }: Chunk): Promise<void> {
    const concerned = (events ?? []).filter(({ type }) => Object.hasOwn(this.#each.on, type))
    if (concerned.length === 0) return
    const entered = enterSchemas(client, [this.#target.schema])
    entered.catch(() => {})
    const db = writerOf(client, this.#target.tables, this.#target.schema)
    const sent: Sent[] = []
    try {
      for (const event of concerned) await this.#send(client, db, event, sent)
    } catch (error) {
      // A handler that read after a statement which was refused only learns that the transaction has failed.
      await this.#settle(entered, sent)
      throw error
    }
    await this.#settle(entered, sent)
  }

  committed(): void {}

  reset(): void {}

  /** Waits for all answers. The event of the first statement that was refused is at fault. */
  async #settle(entered: Promise<void>, sent: readonly Sent[]): Promise<void> {
    await Promise.allSettled(sent.map(({ answer }) => answer))
    await entered
    for (const { event, answer } of sent) await this.#blame(event, answer)
  }

  async #send(
    client: pg.ClientBase,
    db: Kysely<unknown>,
    event: SequencedEvent,
    sent: Sent[],
  ): Promise<void> {
    const writes = this.#guard(event, () => this.#each.on[event.type]?.(db, event))
    // Only what is asynchronous is waited for, so that all else stays one batch.
    const settled = writes instanceof Promise ? await this.#blame(event, writes) : writes
    const statements = this.#guard(event, () =>
      compileWrites(db, settled as Writes).map((query) => this.#statement(query)),
    )
    for (const statement of statements) {
      const answer = client.query(statement)
      answer.catch(() => {})
      sent.push({ event, answer })
    }
  }

  #statement({ sql, parameters }: CompiledQuery): pg.QueryConfig {
    refuseTransactionControl(sql)
    const name = this.#names.of(sql)
    return { text: sql, values: [...parameters], ...(name === undefined ? {} : { name }) }
  }

  #guard<T>(event: SequencedEvent, body: () => T): T {
    try {
      return body()
    } catch (error) {
      throw handlerFailed(this.#target.id, event, error)
    }
  }

  /** Waits for an answer, and says which event asked for it when the server refuses. */
  async #blame<T>(event: SequencedEvent, answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (isTransient(error)) throw error
      throw handlerFailed(this.#target.id, event, error)
    }
  }
}
