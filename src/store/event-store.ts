import { type Circumstances, withCircumstances } from '../core/causation.ts'
import type { AnyEventDefinition, NewEvent } from '../core/event.ts'
import type { EventRegistry } from '../core/event-registry.ts'
import type { Rejection } from '../core/rejection.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { appendToStream, appendToStreams } from './append.ts'
import type { AppendCondition } from './append-condition.ts'
import type { AppendResult } from './append-outcome.ts'
import type { Expectation, StreamAppend } from './check-append.ts'
import {
  type AppendDecision,
  type DecideOptions,
  type DecideResult,
  decideOn,
} from './decide-on.ts'
import { encodeAppend } from './encode-append.ts'
import type { EventQuery } from './event-query.ts'
import { type EventReader, eventReader, type RecordedEventOf } from './event-reader.ts'
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts'
import { appendInline, type InlineWriter, planOf } from './inline-writer.ts'
import { type QueryResult, readQuery } from './read-query.ts'

export interface AppendManyOptions extends Circumstances {
  /** A `pg` client or a Kysely transaction to join. Default: a transaction of its own. */
  readonly tx?: Connection
  /**
   * Makes the append idempotent: of all appends with one key, one is carried out, and the others
   * get its result. Such as the id of a request.
   */
  readonly key?: string
  /** Takes the append back while it is queued. Once it is under way it is carried out. */
  readonly signal?: AbortSignal
  /** Appends only if no event matches a query but those that were seen. */
  readonly condition?: AppendCondition
}

export interface AppendOptions extends AppendManyOptions {
  /** What the writer expects of the stream. Default `'any'`. */
  readonly expect?: Expectation
}

/** The part of a store that knows events and streams, and nothing of who consumes them. */
export interface EventStore<D extends AnyEventDefinition = AnyEventDefinition>
  extends EventReader<D> {
  /**
   * Appends events to one stream, atomically. Calls that come while others are under way share a
   * transaction with them, each with an outcome of its own; calls that are not awaited one after the
   * other may be carried out in any order.
   *
   * @throws STREAM_VERSION_CONFLICT with the actual version; APPEND_KEY_REUSED; APPEND_INVALID,
   *   STREAM_ID_INVALID, EVENT_TOO_LARGE; APPEND_QUEUE_FULL, STORE_CLOSED; with a condition
   *   APPEND_CONDITION_FAILED. Nothing was written.
   */
  append(
    streamId: string,
    events: NewEvent | readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<AppendResult>

  /** Appends events to several streams, all or none. Throws as {@link EventStore.append}. */
  appendMany(
    appends: readonly StreamAppend[],
    options?: AppendManyOptions,
  ): Promise<readonly AppendResult[]>

  /**
   * Reads all events that match a query, as of one moment, with the token of that moment for the
   * condition of an append. See `readQuery`.
   */
  readQuery(
    query: EventQuery,
    options?: { readonly tx?: Connection },
  ): Promise<QueryResult<RecordedEventOf<D>>>

  /** Decides on what matches a query, and appends unless that has changed. See `decideOn`. */
  decide<A extends AppendDecision>(
    query: EventQuery,
    decide: (events: readonly RecordedEventOf<D>[]) => A | Promise<A>,
    options?: DecideOptions,
  ): Promise<DecideResult<Extract<A, Rejection>>>

  /** Appends that share transactions and are queued or under way. */
  pendingAppends(): number
}

export interface EventStoreContext {
  /** For whatever does not join a transaction of the caller's. */
  readonly connection: Connection
  readonly names: LogNames
  readonly registry: EventRegistry
  /** Most bytes of one event's data and metadata together, as JSON. Default 1 MiB. */
  readonly maxEventBytes?: number | undefined
  /** How appends that come at once share transactions; false: they do not. */
  readonly groupCommit?: GroupCommitOptions | false | undefined
  /** Applies inline projections to what is appended. */
  readonly inline?: InlineWriter | undefined
}

/** An append of more events is a statement of its own: others would wait for it. */
const maxGroupedEvents = 100

/**
 * Makes the part of a store that knows events. The caller ends the connections, after having closed
 * it.
 */
export function eventStore<D extends AnyEventDefinition = AnyEventDefinition>(
  context: EventStoreContext,
): EventStore<D> & { readonly close: () => Promise<void> } {
  const { connection, names, registry, maxEventBytes, groupCommit = {}, inline } = context
  const grouping = groupCommit === false ? {} : groupCommit
  const group = new GroupCommit(connection, names, grouping)
  const inlineGroup = new GroupCommit(connection, names, grouping, (appends, carryOut) =>
    inline === undefined
      ? carryOut(connection)
      : inline.append(undefined, planOf(appends), carryOut),
  )
  return {
    append: async (streamId, given, options = {}) => {
      const { expect = 'any', tx, key, signal, condition } = options
      const events = withCircumstances([given].flat(), options)
      const call = { maxEventBytes, key }
      const append = { streamId, events, expect }
      if (condition !== undefined) {
        signal?.throwIfAborted()
        const conditional = { ...call, condition }
        const [result] = await appendInline(context, tx, [append], (joined, appends) =>
          appendToStreams(joined, names, appends, conditional),
        )
        return result as AppendResult
      }
      if (tx !== undefined || groupCommit === false || events.length > maxGroupedEvents) {
        signal?.throwIfAborted()
        return appendInline(context, tx, [append], (joined, [named = append]) =>
          appendToStream(joined, names, named, call),
        )
      }
      const isInline = inline?.covers(events.map(({ type }) => type)) ?? false
      return (isInline ? inlineGroup : group).append(encodeAppend(append, call), signal)
    },
    appendMany: async (appends, options = {}) => {
      const { tx, key, signal, condition } = options
      signal?.throwIfAborted()
      const caused = appends.map((append) => {
        return { ...append, events: withCircumstances(append.events, options) }
      })
      return appendInline(context, tx, caused, (joined, named) =>
        appendToStreams(joined, names, named, { maxEventBytes, key, condition }),
      )
    },
    readQuery: async (query, { tx = connection } = {}) =>
      (await readQuery(tx, names, registry, query)) as never,
    decide: async (query, decide, options) => {
      const parts = { connection, names, registry, maxEventBytes, inline }
      return (await decideOn(parts, query, decide as never, options)) as never
    },
    ...eventReader<D>(context),
    pendingAppends: () => group.pending + inlineGroup.pending,
    close: async () => {
      await Promise.all([group.close(), inlineGroup.close()])
    },
  }
}
