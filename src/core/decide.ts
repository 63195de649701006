import { asStored } from './as-stored.ts'
import type { AnyDecider, EvolvingEvent } from './decider.ts'
import type { NewEvent } from './event.ts'
import { isPromise } from './is-promise.ts'
import { isRejection, type Rejection } from './rejection.ts'
import { TidemarkError } from './tidemark-error.ts'

/** The outcome of a command: the events that it decided on, or why it refused. */
export type Outcome = { readonly events: readonly NewEvent[] } | { readonly rejection: Rejection }

/**
 * Runs a command on a state. Pure, as far as the command is. The state is evolved by what was decided,
 * as it would be stored: an event on which `evolve` throws must not get into the log, where it would
 * make the stream unreadable.
 *
 * @throws COMMAND_UNKNOWN when the decider has no such command.
 * @throws DECISION_INVALID when it returns something that is neither events of the decider, made by
 *   their definitions, nor a rejection; a promise, for one. Else whatever the command and `evolve`
 *   throw.
 */
export function decide(
  decider: AnyDecider,
  state: unknown,
  command: string,
  input: unknown,
): Outcome {
  const run = Object.hasOwn(decider.commands, command) ? decider.commands[command] : undefined
  if (run === undefined) throw unknownCommand(decider, command)
  const decision = run(state as never, input as never)
  if (isRejection(decision)) return { rejection: decision }
  const events = Array.isArray(decision) ? decision : [decision]
  for (const event of events) {
    const fault = faultOf(decider, event)
    if (fault !== undefined) throw invalidDecision(decider, command, fault)
  }
  evolve(decider, state, events.map(asStored))
  return { events }
}

/** Computes the state after some events. */
export function evolve(
  decider: AnyDecider,
  state: unknown,
  events: readonly EvolvingEvent[],
): unknown {
  return events.reduce((before, event) => {
    const step = decider.evolve[event.type] as (state: unknown, event: unknown) => unknown
    return step(before, event)
  }, state)
}

function faultOf(decider: AnyDecider, event: unknown): string | undefined {
  if (isPromise(event)) {
    return 'it returned a promise: read what it needs first, and pass it as the input'
  }
  if (!isEvent(event)) {
    return 'it returned neither an event, nor an array of events, nor a rejection; nothing is []'
  }
  const definition = decider.registry.definitionOf(event.type)
  if (definition === undefined) return `event type "${event.type}" is not in the decider's events`
  if (event.schemaVersion === definition.schemaVersion) return undefined
  return `an event "${event.type}" was not made by its definition`
}

function isEvent(value: unknown): value is NewEvent {
  return typeof value === 'object' && value !== null && 'type' in value && 'data' in value
}

function unknownCommand(decider: AnyDecider, command: string): TidemarkError {
  const known = Object.keys(decider.commands)
  return new TidemarkError(
    'COMMAND_UNKNOWN',
    `decider "${decider.name}" has no command "${command}"; it has ${known.join(', ')}`,
    { details: { decider: decider.name, command, known } },
  )
}

function invalidDecision(decider: AnyDecider, command: string, reason: string): TidemarkError {
  return new TidemarkError(
    'DECISION_INVALID',
    `command "${command}" of decider "${decider.name}" is not well made: ${reason}`,
    { details: { decider: decider.name, command, reason } },
  )
}
