import type { AnyEventDefinition, EventOf } from '../core/event.ts'
import { type EventRegistry, eventRegistry } from '../core/event-registry.ts'
import type { OnError } from '../subscriptions/subscriber.ts'
import type { Job } from './job.ts'
import type { ShedOptions } from './shedding/load-shedder.ts'
import { requireShedOptions } from './shedding/require-shed-options.ts'

export interface ReactorOptions<D extends AnyEventDefinition> {
  readonly events: readonly D[]
  /** Where a new reactor begins: after the last event of the moment, at the first, or at a position. */
  readonly from?: 'now' | 'start' | bigint
  /** The jobs that an event of each type asks for. Pure. */
  readonly on: {
    readonly [Type in EventOf<D>['type']]: (
      event: Extract<EventOf<D>, { readonly type: Type }>,
    ) => Job | readonly Job[] | null
  }
  /**
   * What to do with an event whose handler throws: `'stop'` in front of it (default), or `'park'` it with all
   * later ones of its stream and go on with the rest. `tidemark parked` shows, retries and discards them.
   */
  readonly onError?: OnError
  /** Events that may be parked before it stops after all. Default 1,000. */
  readonly maxParked?: number
  /**
   * Events that it passes over while it is far behind, so that the others are not kept waiting. They are
   * recorded, shown by `status`, and replayed by `tidemark shed replay`, after those that came later. Default: none.
   */
  readonly shed?: ShedOptions<EventOf<D>['type']>
}

/** A reactor's definition: turns events into jobs. */
export interface Reactor {
  readonly name: string
  readonly from: 'now' | 'start' | bigint
  readonly registry: EventRegistry
  readonly on: Readonly<Record<string, (event: unknown) => Job | readonly Job[] | null>>
  readonly onError: OnError
  readonly maxParked: number | undefined
  readonly shed: ShedOptions | undefined
}

/**
 * Defines a reactor. Its jobs and its checkpoint are written in one transaction, so that each event
 * enqueues exactly once. A rebuild of projections never runs it again. Reactors on the same events go on
 * independently of each other.
 *
 * @throws DEFINITION_INVALID for marks or types of `shed` that cannot be.
 */
export function reactor<const D extends AnyEventDefinition>(
  name: string,
  options: ReactorOptions<D>,
): Reactor {
  const registry = eventRegistry(options.events)
  requireShedOptions(name, options.shed, registry.types)
  return {
    name,
    from: options.from ?? 'now',
    registry,
    on: options.on as unknown as Reactor['on'],
    onError: options.onError ?? 'stop',
    maxParked: options.maxParked,
    shed: options.shed,
  }
}
