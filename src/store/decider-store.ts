import type { AnyDecider, CommandOf, StateOf } from '../core/decider.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import type { EventStore } from './event-store.ts'
import { type ExecuteArguments, type ExecuteResult, execute } from './execute.ts'
import { type LoadContext, type LoadedState, type LoadOptions, loadState } from './load-state.ts'
import { StreamTurns } from './stream-turns.ts'

/** The part of a store that knows deciders. */
export interface DeciderStore {
  /**
   * Loads the state of a decider's stream, or what it was at a version, a position or a time.
   *
   * @throws EVENT_TYPE_UNKNOWN when the stream holds an event that the decider does not know,
   *   EVENT_SCHEMA_VERSION_UNKNOWN; STREAM_ID_INVALID, OPTION_INVALID, OPERATION_CANCELLED
   */
  load<D extends AnyDecider>(
    decider: D,
    id: string,
    options?: LoadOptions,
  ): Promise<LoadedState<StateOf<D>>>

  /**
   * Loads the state, lets a command decide on it, and appends the events, atomically: if somebody
   * else appended in between, it is done again, up to `maxAttempts` times. A refusal is a value, not
   * an error.
   *
   * @throws STREAM_VERSION_CONFLICT when other writers were first each time, or once within `tx`;
   *   APPEND_KEY_REUSED; COMMAND_UNKNOWN, DECISION_INVALID, EVENT_DATA_INVALID; what loading and
   *   appending throw; OPERATION_CANCELLED. Nothing was written.
   */
  execute<D extends AnyDecider, C extends CommandOf<D>>(
    decider: D,
    id: string,
    command: C,
    ...input: ExecuteArguments<D, C>
  ): Promise<ExecuteResult<D, C>>
}

export interface DeciderStoreContext extends LoadContext {
  readonly append: EventStore['append']
  readonly logger?: Logger
}

/** Makes the part of a store that knows deciders. It owns nothing. */
export function deciderStore({
  logger = silentLogger,
  ...rest
}: DeciderStoreContext): DeciderStore {
  const context = { ...rest, logger, turns: new StreamTurns() }
  return {
    load: (decider, id, options) => loadState(context, decider, id, options),
    execute: (decider, id, command, ...[input, options]) =>
      execute(context, decider, id, command, input, options) as never,
  }
}
