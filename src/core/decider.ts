import type { AnyEventDefinition, EventDefinition, NewEventOf } from './event.ts'
import { type EventRegistry, eventRegistry } from './event-registry.ts'
import type { RecordedEvent } from './recorded-event.ts'
import type { Rejection } from './rejection.ts'
import { TidemarkError } from './tidemark-error.ts'

/**
 * What `evolve` sees of an event: what was decided. Not when and where it was recorded, so that a
 * state never depends on a clock; a time that matters to the domain belongs into the data.
 */
export type EvolvingEvent<Type extends string = string, Data = unknown> = Pick<
  RecordedEvent<Type, Data>,
  'type' | 'data' | 'metadata' | 'tags'
>

/** The events of a list of definitions as `evolve` sees them, as a union. */
export type EvolvingEventOf<D extends AnyEventDefinition> =
  D extends EventDefinition<infer Type, never, infer Data> ? EvolvingEvent<Type, Data> : never

/** One pure function per event type: the state after the event. */
export type Evolve<D extends AnyEventDefinition, State, Returned = State> = {
  readonly [Type in D['type']]: (
    state: State,
    event: Extract<EvolvingEventOf<D>, { readonly type: Type }>,
  ) => Returned
}

/** What a state may be made of that has literal types. */
type Primitive = string | number | boolean | bigint | symbol | null | undefined

/**
 * A state, spelled so that `() => ({ status: 'open' })` is read with its literals: the compiler looks
 * at a function without parameters before it knows the state, and `status` would be a `string`. What
 * is returned has to be a state all the same.
 */
type Evolved<State, P extends Primitive> = (State & (P | Nested<P>)) | State

interface Nested<P extends Primitive> {
  readonly [key: string]: P | Nested<P> | readonly (P | Nested<P>)[]
}

/** What a command may return: an event, several, none (`[]`), or a rejection. */
export type Decision<D extends AnyEventDefinition> =
  | NewEventOf<D>
  | readonly NewEventOf<D>[]
  | Rejection

/** Pure functions that decide: the state and an input in, events or a rejection out. */
export type Commands<D extends AnyEventDefinition, State> = {
  readonly [command: string]: (state: State, input: never) => Decision<D>
}

/** When and how the state of a stream is kept, so that a load need not begin at its first event. */
export interface SnapshotOptions<State, Encoded = unknown> {
  /** Events after which a new snapshot is taken: about as many a load then reads at most. */
  readonly every: number
  /** Turns a state into something that JSON holds. Needed when it has dates, maps and the like. */
  readonly encode?: (state: State) => Encoded
  /** Turns what `encode` made back into the state. Needed with `encode`. */
  readonly decode?: (encoded: Encoded) => State
}

export interface DeciderOptions<
  Definitions extends readonly AnyEventDefinition[],
  State,
  C,
  Encoded,
  P extends Primitive,
> {
  /** Raise it when `initial`, `evolve` or `encode` change: it makes older snapshots void. Default 1. */
  readonly version?: number
  /** Every event type that can stand in the stream. */
  readonly events: Definitions
  /** Makes the state of an empty stream. */
  readonly initial: () => State
  readonly evolve: Evolve<Definitions[number], NoInfer<State>, Evolved<NoInfer<State>, P>>
  readonly commands: C
  /** Default: none; each load reads the whole stream. */
  readonly snapshot?: SnapshotOptions<NoInfer<State>, Encoded>
}

/** Decides what happens in one kind of stream. Made by {@link decider}. */
export interface Decider<
  Name extends string,
  D extends AnyEventDefinition,
  State,
  C extends Commands<D, State>,
> extends AnyDecider {
  readonly name: Name
  readonly events: readonly D[]
  readonly initial: () => State
  readonly evolve: Evolve<D, State>
  readonly commands: C
}

/** Any decider, whatever its state and events. */
export interface AnyDecider {
  readonly name: string
  readonly version: number
  readonly events: readonly AnyEventDefinition[]
  /** Reads stored events into the newest shapes that `evolve` knows. */
  readonly registry: EventRegistry
  readonly initial: () => unknown
  readonly evolve: { readonly [type: string]: (state: never, event: never) => unknown }
  readonly commands: { readonly [command: string]: (state: never, input: never) => unknown }
  readonly snapshot: SnapshotOptions<never, never> | null
}

/** The state of a decider. */
export type StateOf<D extends AnyDecider> = ReturnType<D['initial']>

/** The names of a decider's commands. */
export type CommandOf<D extends AnyDecider> = keyof D['commands'] & string

/** The input of a command, as its parameters after the state: none, one, or an optional one. */
export type InputOf<D extends AnyDecider, C extends CommandOf<D>> = AfterState<
  Parameters<D['commands'][C]>
>

type AfterState<P extends readonly unknown[]> = P extends [unknown, ...infer Input] ? Input : []

/** The rejections that a command can return. */
export type RejectionOf<D extends AnyDecider, C extends CommandOf<D>> = Extract<
  ReturnType<D['commands'][C]>,
  Rejection
>

/**
 * Defines what can happen in one kind of stream, as pure functions: `commands` decide, `evolve`
 * keeps the state that they decide on. The stream of `id` is `<name>-<id>`. All types are inferred.
 *
 * Pure means: no clock, no chance, no I/O, and states are replaced, never changed. A command is run
 * again when another writer was first; whatever it needs comes in as its input.
 *
 * @param name category of the streams; letters, digits, `_` and `.`. A hyphen would make the
 *   streams of `order` and `order-line` meet.
 * @throws DEFINITION_INVALID
 */
export function decider<
  const Name extends string,
  const Definitions extends readonly AnyEventDefinition[],
  State,
  C extends Commands<Definitions[number], NoInfer<State>>,
  P extends Primitive,
  Encoded = unknown,
>(
  name: Name,
  options: DeciderOptions<Definitions, State, C, Encoded, P>,
): Decider<Name, Definitions[number], State, C> {
  const { version = 1, events, initial, evolve, commands, snapshot = null } = options
  const registry = eventRegistry(events, `the events of decider "${name}"`)
  const definition = { name, version, events, registry, initial, evolve, commands, snapshot }
  const fault = faultOf(definition as unknown as AnyDecider)
  if (fault !== undefined) {
    throw new TidemarkError('DEFINITION_INVALID', `decider "${name}": ${fault}`, {
      details: { name, reason: fault },
    })
  }
  return definition as unknown as Decider<Name, Definitions[number], State, C>
}

/**
 * Names the stream of a decider and an id.
 *
 * @throws STREAM_ID_INVALID when the id is empty.
 */
export function streamIdOf(target: AnyDecider, id: string): string {
  if (id !== '') return `${target.name}-${id}`
  const reason = 'ends with an empty id'
  throw new TidemarkError('STREAM_ID_INVALID', `a stream id of "${target.name}" ${reason}`, {
    details: { streamId: `${target.name}-`, reason },
  })
}

function faultOf(target: AnyDecider): string | undefined {
  const { name, version, snapshot } = target
  if (!/^[a-zA-Z][a-zA-Z0-9_.]{0,99}$/.test(name)) {
    return 'a name is at most 100 letters, digits, _ and ., and begins with a letter'
  }
  if (!isCount(version)) return `version ${version} is not a whole number from 1`
  return evolveFault(target) ?? (snapshot === null ? undefined : snapshotFault(snapshot))
}

function evolveFault({ registry, evolve }: AnyDecider): string | undefined {
  const missing = registry.types.find((type) => !Object.hasOwn(evolve, type))
  if (missing !== undefined) return `evolve has no function for event type "${missing}"`
  const strange = Object.keys(evolve).find((type) => registry.definitionOf(type) === undefined)
  return strange === undefined ? undefined : `evolve has "${strange}", which is not in events`
}

function snapshotFault(snapshot: NonNullable<AnyDecider['snapshot']>): string | undefined {
  const { every, encode, decode } = snapshot
  if (!isCount(every)) return `snapshot.every is ${every}, not a whole number from 1`
  if ((encode === undefined) === (decode === undefined)) return undefined
  return 'a snapshot needs both encode and decode, or neither'
}

/** The column of a decider's version is an `integer`. */
function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 2_147_483_647
}
