import { type Circumstances, withCircumstances } from '../core/causation.ts'
import { decide } from '../core/decide.ts'
import {
  type AnyDecider,
  type CommandOf,
  type InputOf,
  type RejectionOf,
  streamIdOf,
} from '../core/decider.ts'
import type { NewEvent, NewEventOf } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Rejection } from '../core/rejection.ts'
import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import type { Token } from '../core/token.ts'
import type { Connection } from '../db/queryable.ts'
import type { EventStore } from './event-store.ts'
import { executionEventId, findExecution } from './find-execution.ts'
import { type LoadContext, type LoadedStream, loadStream } from './load-state.ts'
import { newEventId } from './new-event-id.ts'
import { retryRaces } from './retry-races.ts'
import { type DueSnapshot, encodeSnapshot, saveSnapshot } from './snapshots.ts'
import type { StreamTurns } from './stream-turns.ts'
import { warnOfLossyEvents } from './warn-of-lossy-events.ts'

export interface ExecuteOptions extends Circumstances {
  /**
   * Makes the execution idempotent: once events were appended under a key, such as the id of a
   * request, a command under it is not decided again but gets that result. A refusal, or a decision
   * for no events, leaves nothing behind and is decided again.
   */
  readonly key?: string
  /**
   * A `pg` client or a Kysely transaction to join. A conflict is then thrown at once, because what
   * else the transaction has read may be stale too.
   */
  readonly tx?: Connection
  /**
   * How often to load and decide before a conflict is thrown. Default 10; 1 is without retry. Not
   * within `tx`.
   */
  readonly maxAttempts?: number
  /** Stops before the next attempt. An append that is under way is carried out. */
  readonly signal?: AbortSignal
}

/** The arguments of a command: its input, if it has one, and the options. */
export type ExecuteArguments<D extends AnyDecider, C extends CommandOf<D>> =
  InputOf<D, C> extends []
    ? [input?: undefined, options?: ExecuteOptions]
    : [...InputOf<D, C>, options?: ExecuteOptions]

/** A command was accepted: its events are in the log, or will be when the caller's `tx` commits. */
export interface Accepted<E extends NewEvent = NewEvent> {
  readonly ok: true
  /** What was decided, with the ids and metadata under which it was appended. May be none. */
  readonly events: readonly E[]
  /** The stream's version after them. */
  readonly version: bigint
  /**
   * Names the transaction that appended them; when there are none, the last one that the decision
   * has seen, null for an empty stream. Query with `after: token` to see at least that.
   */
  readonly token: Token | null
  /** Whether this is the result of an earlier execution under the same key. */
  readonly replayed: boolean
}

/** A command was refused by the domain. Nothing was written. */
export interface Refused<R extends Rejection = Rejection> {
  readonly ok: false
  readonly rejection: R
  /** The stream's version that the decision has seen. */
  readonly version: bigint
  /** Names the last transaction that the decision has seen; null for an empty stream. */
  readonly token: Token | null
}

/** The outcome of a command. A command that never rejects is always accepted. */
export type ExecuteResult<D extends AnyDecider, C extends CommandOf<D>> =
  | Accepted<NewEventOf<D['events'][number]>>
  | ([RejectionOf<D, C>] extends [never] ? never : Refused<RejectionOf<D, C>>)

export interface ExecuteContext extends LoadContext {
  readonly append: EventStore['append']
  readonly logger: Logger
  readonly turns: StreamTurns
}

/** A command on its way to a stream. */
interface Execution {
  readonly decider: AnyDecider
  readonly streamId: string
  readonly command: string
  readonly input: unknown
  readonly options: ExecuteOptions
}

const defaults = { maxAttempts: 10 }

/**
 * Loads the state of a stream, lets a command decide on it, and appends the events if nobody else
 * has appended in between; otherwise does it again, after a pause. Executions on one stream take
 * turns within a process, except within `tx`, where each would wait for a commit that may wait for it.
 *
 * @throws STREAM_VERSION_CONFLICT when other writers were first at each attempt, or at the only one
 *   within `tx`.
 * @throws APPEND_KEY_REUSED when the key belongs to something else.
 * @throws COMMAND_UNKNOWN, DECISION_INVALID, EVENT_DATA_INVALID; what loading and appending throw;
 *   OPERATION_CANCELLED. Nothing was written.
 */
export async function execute(
  context: ExecuteContext,
  decider: AnyDecider,
  id: string,
  command: string,
  input: unknown,
  options: ExecuteOptions = {},
): Promise<Accepted | Refused> {
  warnOfLossyEvents(decider.events)
  const streamId = streamIdOf(decider, id)
  const execution = { decider, streamId, command, input, options }
  const { signal, tx, maxAttempts = defaults.maxAttempts } = options
  if (tx !== undefined) return attemptUpTo(1, context, execution)
  checkMaxAttempts(maxAttempts)
  return context.turns.take(streamId, signal, () => attemptUpTo(maxAttempts, context, execution))
}

function attemptUpTo(
  maxAttempts: number,
  context: ExecuteContext,
  execution: Execution,
): Promise<Accepted | Refused> {
  const race = {
    operation: `command "${execution.command}"`,
    races: ['STREAM_VERSION_CONFLICT'],
    maxAttempts,
    signal: execution.options.signal,
  } as const
  return retryRaces(race, () => attemptOnce(context, execution))
}

function checkMaxAttempts(maxAttempts: number): void {
  if (Number.isInteger(maxAttempts) && maxAttempts >= 1) return
  const reason = `${maxAttempts} is not a whole number from 1`
  throw new TidemarkError('OPTION_INVALID', `option "maxAttempts": ${reason}`, {
    details: { option: 'maxAttempts', reason },
  })
}

async function attemptOnce(
  context: ExecuteContext,
  execution: Execution,
): Promise<Accepted | Refused> {
  const { decider, streamId, command, input, options } = execution
  const earlier = await findEarlier(context, execution)
  if (earlier !== null) return earlier
  const loaded = await loadStream(context, decider, streamId, joint(options))
  // Before the command is run, which may change what it was given.
  const snapshot = dueSnapshot(decider, loaded, options)
  const outcome = decide(decider, loaded.state, command, input)
  const { version, token } = loaded
  if ('rejection' in outcome) return { ok: false, rejection: outcome.rejection, version, token }
  if (outcome.events.length === 0) return { ok: true, events: [], version, token, replayed: false }
  const accepted = await append(context, execution, outcome.events, version)
  if (snapshot !== null) {
    await saveSnapshot(context.connection, context.names, context.logger, execution, snapshot)
  }
  return accepted
}

async function append(
  context: ExecuteContext,
  execution: Execution,
  decided: readonly NewEvent[],
  expect: bigint,
): Promise<Accepted> {
  const { streamId, options } = execution
  const { key } = options
  const events = withCircumstances(decided, options).map((event, index) => {
    const id =
      event.id ?? (key === undefined ? newEventId() : executionEventId(streamId, key, index))
    return { ...event, id }
  })
  const call = { ...joint(options), ...(key !== undefined && { key }), expect }
  try {
    const { version, token, replayed } = await context.append(streamId, events, call)
    const earlier = replayed ? await findEarlier(context, execution) : null
    return earlier ?? { ok: true, events, version, token, replayed }
  } catch (error) {
    // Somebody with the same key was first, and decided on another state.
    const earlier = isTidemarkError(error, 'APPEND_KEY_REUSED')
      ? await findEarlier(context, execution)
      : null
    if (earlier === null) throw error
    return earlier
  }
}

async function findEarlier(
  { connection, names }: ExecuteContext,
  { decider, streamId, options }: Execution,
): Promise<Accepted | null> {
  const { key, tx = connection } = options
  if (key === undefined) return null
  const found = await findExecution(tx, names, { registry: decider.registry, streamId, key })
  return found === null ? null : { ok: true, ...found, replayed: true }
}

/** The options that loading and appending share. */
function joint({ tx, signal }: ExecuteOptions): Pick<ExecuteOptions, 'tx' | 'signal'> {
  return { ...(tx && { tx }), ...(signal && { signal }) }
}

/**
 * The state that was loaded is kept, not the one after the command: it is made of events as they
 * are stored, and is known to be in the log. Not from within a transaction of the caller's, whose
 * events nobody else sees yet.
 */
function dueSnapshot(
  decider: AnyDecider,
  loaded: LoadedStream,
  { tx }: ExecuteOptions,
): DueSnapshot | null {
  const { version, fromVersion, eventId } = loaded
  if (decider.snapshot === null || tx !== undefined || eventId === null) return null
  if (version - fromVersion < BigInt(decider.snapshot.every)) return null
  return encodeSnapshot(decider, { ...loaded, eventId })
}
