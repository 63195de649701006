import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { isTidemarkError, TidemarkError } from '../../core/tidemark-error.ts'
import { withoutPosition } from '../../core/without-position.ts'
import type { LogNames } from '../../db/log-names.ts'
import { settleAll } from '../../db/settle-all.ts'
import { isTransient } from '../../db/sqlstate.ts'
import type { PlannedEvent } from '../../store/inline-writer.ts'
import { resetLanes } from '../../subscriptions/apply-lanes.ts'
import { handlerFailed } from '../../subscriptions/handler-failed.ts'
import type { Chunk } from '../../subscriptions/lane.ts'
import { freezeEvent } from '../../subscriptions/shared-reads.ts'
import type { Subscriber } from '../../subscriptions/subscriber.ts'
import { projectionSubscriber } from '../lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projection.ts'
import { definitionHash, versionSchema } from '../tables/ddl.ts'
import { declaredOtherwise, drifted } from '../tables/drift.ts'
import type { AppendedEvent, InlineDebt, InlineDebts } from './inline-debts.ts'
import { watchFailure } from './watch-failure.ts'

/** What one transaction has to apply to one version. */
export interface InlineShare {
  readonly version: InlineVersion
  readonly debts: readonly InlineDebt[]
  readonly chunk: Chunk
  /** What is written, for `lockInlineKeys`. */
  readonly keys: readonly string[]
}

/** A version of a projection that appends can apply, any number of them at once. */
export class InlineVersion {
  readonly projection: AnyProjection
  /** Names the version among all of the database. */
  readonly schema: string
  readonly #names: LogNames
  readonly #types: ReadonlySet<string>
  #definitionHash: string | undefined
  /** Nobody uses them now. One is used by one transaction at a time: lanes keep rows. */
  readonly #idle: Subscriber[]

  constructor(projection: AnyProjection, names: LogNames) {
    this.projection = projection
    this.schema = versionSchema(projection)
    this.#names = names
    this.#types = new Set(projection.registry.types)
    this.#idle = [projectionSubscriber(projection, names)]
  }

  reads(type: string): boolean {
    return this.#types.has(type)
  }

  /** Tells what events will be written to, as far as that is known before they are appended. */
  planKeys(events: readonly PlannedEvent[]): readonly string[] {
    return this.#using((subscriber) => {
      const planned = events.flatMap((event) => this.#plan(subscriber, event))
      return this.#keysOf(subscriber, planned, () => null)
    })
  }

  /**
   * Finds out what of a transaction's events the version has to apply.
   *
   * @throws HANDLER_FAILED when a key cannot be told; PROJECTION_NOT_APPLIED, PROJECTION_DRIFTED when the
   *   definition is not the one that was made inline, or that made the tables.
   */
  share({ debts, events }: InlineDebts): InlineShare {
    const own = debts.filter(({ name }) => name === this.projection.name)
    for (const debt of own) {
      this.#requireSameTypes(debt)
      this.#requireSameTables(debt)
    }
    const owed = events.filter((event) => this.#isOwed(own, event))
    return this.#using((subscriber) => {
      const upcast = owed.map(({ event }) => upcastFor(subscriber, event as SequencedEvent))
      return {
        version: this,
        debts: own,
        chunk: {
          after: 0n,
          upto: 0n,
          events: subscriber.fetches ? upcast : null,
          appended: owed.map(({ insertId }) => `${insertId}`),
        },
        keys: this.#keysOf(subscriber, upcast, (error) => {
          throw error
        }),
      }
    })
  }

  /**
   * Applies a share, once its keys are locked.
   *
   * @throws HANDLER_FAILED, PROJECTION_NOT_APPLIED when the server refuses what it writes.
   */
  async apply(client: pg.ClientBase, { chunk }: InlineShare): Promise<void> {
    const subscriber = this.#take()
    const watched = watchFailure(client)
    try {
      await settleAll(subscriber.lanes.map((lane) => lane.apply(watched.client, chunk)))
    } catch (error) {
      throw this.#failed(error, watched.failure())
    } finally {
      this.#putBack(subscriber)
    }
    // A handler has caught it, and nothing can be written any more.
    const failure = watched.failure()
    if (failure !== undefined) throw this.#failed(failure, failure)
  }

  /** @param refusal of the server, that may be behind it. */
  #failed(error: unknown, refusal: unknown): unknown {
    if (refusal !== undefined && isTransient(refusal)) return refusal
    return isTidemarkError(error) || isTransient(error) ? error : this.#refused(error)
  }

  #using<T>(body: (subscriber: Subscriber) => T): T {
    const subscriber = this.#take()
    try {
      return body(subscriber)
    } finally {
      this.#putBack(subscriber)
    }
  }

  #take(): Subscriber {
    return this.#idle.pop() ?? projectionSubscriber(this.projection, this.#names)
  }

  /** Without its rows: another process may write them before the next transaction of this one. */
  #putBack(subscriber: Subscriber): void {
    resetLanes(subscriber)
    this.#idle.push(subscriber)
  }

  /** As it will be recorded, but for its version and time. None when the append is going to fail. */
  #plan(subscriber: Subscriber, event: PlannedEvent): SequencedEvent[] {
    if (!this.reads(event.type)) return []
    try {
      const recorded = { ...event, version: 0n, position: null, recordedAt: new Date() }
      return [upcastFor(subscriber, recorded as unknown as SequencedEvent)]
    } catch {
      return []
    }
  }

  #isOwed(debts: readonly InlineDebt[], { insertId, event }: AppendedEvent): boolean {
    if (!this.reads(event.type)) return false
    return debts.some((debt) => debt.firstInsertId <= insertId && insertId <= debt.lastInsertId)
  }

  #keysOf(
    { lanes }: Subscriber,
    events: readonly SequencedEvent[],
    onError: (error: unknown) => null,
  ): readonly string[] {
    const keys = new Set<string>()
    for (const lane of lanes) {
      for (const event of events) {
        const key = orElse(() => lane.keyOf(event), onError)
        if (key !== null) keys.add(`${this.schema} ${lane.name} ${key}`)
      }
    }
    return [...keys]
  }

  /** Not what the server says of an append: it is about the rows. */
  #refused(cause: unknown): TidemarkError {
    const { name: projection, version } = this.projection
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new TidemarkError(
      'PROJECTION_NOT_APPLIED',
      `projection "${projection}" version ${version} could not be applied to what is appended: ${reason}`,
      { details: { projection, version, reason }, cause },
    )
  }

  #requireSameTypes({ name, version, types }: InlineDebt): void {
    const isSame = types?.length === this.#types.size && types.every((type) => this.reads(type))
    if (isSame) return
    const reason = 'it was made inline with other event types than the definition has'
    throw new TidemarkError(
      'PROJECTION_NOT_APPLIED',
      `projection "${name}" version ${version} cannot be applied: ${reason}. Raise its version`,
      { details: { projection: name, version, reason } },
    )
  }

  /** Rows that another declaration writes would be neither's. */
  #requireSameTables(debt: InlineDebt): void {
    this.#definitionHash ??= definitionHash(this.projection)
    if (debt.definitionHash === this.#definitionHash) return
    throw drifted(debt, declaredOtherwise({ ...debt, state: 'live' }))
  }
}

function orElse<T>(body: () => T, onError: (error: unknown) => T): T {
  try {
    return body()
  } catch (error) {
    return onError(error)
  }
}

function upcastFor(subscriber: Subscriber, event: SequencedEvent): SequencedEvent {
  try {
    // Nothing asks for its position before.
    const upcast = withoutPosition(subscriber.upcast(event))
    freezeEvent(upcast)
    return upcast
  } catch (error) {
    throw handlerFailed(subscriber.id, event, error)
  }
}
