import type { AnyDecider, CommandOf, InputOf, RejectionOf } from '../decider.ts'
import type { AnyEventDefinition, EventOf } from '../event.ts'
import { type EventRegistry, eventRegistry } from '../event-registry.ts'
import type { SequencedEvent } from '../recorded-event.ts'
import { TidemarkError } from '../tidemark-error.ts'
import { type Act, type Action, act } from './action.ts'

/** What a handler of a process answers: actions, one, or none. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a handler without a return promises
export type Answer = Action | readonly Action[] | null | undefined | void

/** A command of a process that its decider has refused. */
export interface RefusedCommand {
  readonly decider: string
  /** Whose stream: the id behind the decider's name. */
  readonly target: string
  readonly command: string
  readonly input: unknown
  /** The rejection's. */
  readonly code: string
  readonly details: unknown
}

/**
 * A refused command of one of these deciders, as a union: a `command` tells its `input`, `code` and `details`, a
 * `code` those of its `details`, as they are made; they are told as JSON has kept them. Commands that are never
 * refused are not among them.
 */
export type RefusedBy<D extends AnyDecider> = D extends AnyDecider
  ? string extends CommandOf<D>
    ? RefusedCommand
    : { [C in CommandOf<D>]: Refused<D, C, RejectionOf<D, C>> }[CommandOf<D>]
  : never

type Refused<D extends AnyDecider, C extends CommandOf<D>, R> = R extends {
  readonly code: infer Code extends string
  readonly details: infer Details
}
  ? {
      readonly decider: D['name']
      readonly target: string
      readonly command: C
      readonly input: InputOf<D, C>[0]
      readonly code: Code
      readonly details: [Details] extends [undefined] ? null : Details
    }
  : never

type EventNamed<D extends AnyEventDefinition, Type> = Extract<EventOf<D>, { readonly type: Type }>

/** A function of an event, for all types or one for each. */
type ByType<D extends AnyEventDefinition, Result> =
  | ((event: EventOf<D>) => Result)
  | { readonly [Type in D['type']]: (event: EventNamed<D, Type>) => Result }

export interface ProcessOptions<
  D extends AnyEventDefinition,
  State,
  Deciders extends AnyDecider,
  Timer extends string,
> {
  /** The event types that it hears. */
  readonly events: readonly D[]
  /** The deciders that it sends commands to. Workers find them here. */
  readonly deciders?: readonly Deciders[]
  /** Which instance an event belongs to, for all types or for each. Null: none. Pure. */
  readonly id: ByType<D, string | null>
  /** The types of events that begin an instance. Others are not for an instance that is not there. */
  readonly starts: readonly NoInfer<D>['type'][]
  /** Where it begins: after the last event of the moment (default), at the first, or at a position. */
  readonly from?: 'now' | 'start' | bigint
  /** Makes the state of a new instance. */
  readonly initial: () => State
  /** The state after an event, for the types that change it. Pure. */
  readonly evolve?: {
    readonly [Type in D['type']]?: (
      state: NoInfer<State>,
      event: EventNamed<D, Type>,
    ) => NoInfer<State>
  }
  /** Timers by name, each with its answer when it has run down. Pure. */
  readonly onTimer?: {
    readonly [Name in Timer]: (
      state: NoInfer<State>,
      act: Act<NoInfer<Deciders>, NoInfer<Timer>>,
    ) => Answer
  }
  /** The answer to an event, given the state after it. Pure: no clock, no chance, no I/O. */
  readonly on: {
    readonly [Type in D['type']]?: (
      state: NoInfer<State>,
      event: EventNamed<D, Type>,
      act: Act<NoInfer<Deciders>, NoInfer<Timer>>,
    ) => Answer
  }
  /** The answer to a command that was refused. Default: the process fails. Pure. */
  readonly onRejected?: (
    state: NoInfer<State>,
    refused: NoInfer<RefusedBy<Deciders>>,
    act: Act<NoInfer<Deciders>, NoInfer<Timer>>,
  ) => Answer
  /**
   * What to do with an event on which a handler throws: stop in front of it (default), or park it with all
   * later events of its instance while the other instances go on.
   */
  readonly onError?: 'stop' | 'park'
  /** Attempts at a command that throws, before it is given up and the instance is stuck. Default 10. */
  readonly maxAttempts?: number
}

/** A process as {@link processManager} has defined it. */
export interface ProcessManager<
  Name extends string = string,
  D extends AnyEventDefinition = AnyEventDefinition,
  State = unknown,
  Deciders extends AnyDecider = AnyDecider,
  Timer extends string = string,
> extends AnyProcess {
  readonly name: Name
  readonly events: readonly D[]
  readonly initial: () => State
  /** Makes actions with the types of this process, as for what a test expects. */
  readonly act: Act<Deciders, Timer>
}

/** Any process, whatever its state and events. */
export interface AnyProcess {
  readonly kind: 'process'
  readonly name: string
  readonly events: readonly AnyEventDefinition[]
  readonly registry: EventRegistry
  readonly deciders: readonly AnyDecider[]
  readonly from: 'now' | 'start' | bigint
  readonly onError: 'stop' | 'park'
  readonly maxAttempts: number
  readonly starts: ReadonlySet<string>
  readonly idOf: (event: SequencedEvent) => string | null
  readonly initial: () => unknown
  readonly evolve: HandlersByName
  readonly on: HandlersByName
  readonly onTimer: HandlersByName
  readonly onRejected: ((state: never, refused: never, act: never) => Answer) | null
}

interface HandlersByName {
  readonly [name: string]: ((...args: never[]) => unknown) | undefined
}

const defaults = { from: 'now', onError: 'stop', maxAttempts: 10 } as const

/**
 * Defines a process, also called a saga: what has to be done, step by step, when certain events happen, and how
 * to undo it when a step cannot be done. Its handlers are pure functions of a state and an event that answer
 * with actions: commands, jobs, timers. What they answered is recorded with the event, in one transaction, and
 * never computed again: after a crash, or a deployment of other handlers, what was recorded is carried out, and
 * nothing else.
 *
 * An instance lives once: an event for one that has ended is ignored, also one that could begin it.
 *
 * @param name letters, digits, `_` and `.`. The stream of an instance is `process:<name>-<id>`.
 * @throws DEFINITION_INVALID
 */
export function processManager<
  const Name extends string,
  const D extends AnyEventDefinition,
  State,
  const Deciders extends AnyDecider = never,
  const Timer extends string = never,
>(
  name: Name,
  options: ProcessOptions<D, State, Deciders, Timer>,
): ProcessManager<Name, D, State, Deciders, Timer> {
  const { events, deciders = [], initial, evolve = {}, on, onTimer = {}, onRejected } = options
  const definition = {
    ...defaults,
    ...options,
    kind: 'process',
    name,
    registry: eventRegistry(events, `the events of process "${name}"`),
    deciders,
    starts: new Set<string>(options.starts),
    idOf: idOf(options.id as ByType<AnyEventDefinition, string | null>),
    initial,
    evolve,
    on,
    onTimer,
    onRejected: onRejected ?? null,
    act,
  } as unknown as ProcessManager<Name, D, State, Deciders, Timer>
  const fault = faultOf(definition)
  if (fault === undefined) return definition
  throw new TidemarkError('DEFINITION_INVALID', `process "${name}": ${fault}`, {
    details: { name, reason: fault },
  })
}

function idOf(id: ByType<AnyEventDefinition, string | null>): AnyProcess['idOf'] {
  if (typeof id === 'function') return id as AnyProcess['idOf']
  const byType = id as Readonly<Record<string, AnyProcess['idOf']>>
  return (event) => byType[event.type]?.(event) ?? null
}

function faultOf(definition: AnyProcess): string | undefined {
  const { name, registry, starts, maxAttempts, evolve, on, deciders } = definition
  if (!/^[a-zA-Z][a-zA-Z0-9_.]{0,99}$/.test(name)) {
    return 'a name is at most 100 letters, digits, _ and ., and begins with a letter'
  }
  if (starts.size === 0) return 'no event begins it: name one in `starts`'
  const named = [...starts, ...Object.keys(evolve), ...Object.keys(on)]
  const strange = named.find((type) => registry.definitionOf(type) === undefined)
  if (strange !== undefined) return `event type "${strange}" is not in its events`
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    return `maxAttempts ${maxAttempts} is not a whole number from 1`
  }
  const names = deciders.map((one) => one.name)
  const twice = names.find((one, index) => names.indexOf(one) !== index)
  return twice === undefined ? undefined : `two of its deciders are named "${twice}"`
}
