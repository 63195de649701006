import type { AnyEventDefinition } from './event.ts'
import type { RecordedEvent } from './recorded-event.ts'
import { TidemarkError } from './tidemark-error.ts'

/**
 * What to do with an event that this code cannot bring to its newest shape, because its type has no
 * definition or its schema version is not known: `'fail'`, or `'raw'`, which passes it on with its
 * data as stored. Raw is for those who look at a log (a page, an export); state that is computed
 * from events which the code does not understand is wrong without a word.
 */
export type UnknownEvents = 'fail' | 'raw'

export interface UpcastOptions {
  /** Default `'fail'`. */
  readonly unknownEvents?: UnknownEvents
}

/** Brings stored events to the newest shape of their type. */
export interface EventRegistry {
  readonly types: readonly string[]
  readonly definitions: readonly AnyEventDefinition[]
  definitionOf(type: string): AnyEventDefinition | undefined

  /**
   * Returns the event with its data in the newest shape; as it is stored, if it is unknown and the
   * caller takes such events raw.
   *
   * @throws EVENT_TYPE_UNKNOWN when no definition has this type.
   * @throws EVENT_SCHEMA_VERSION_UNKNOWN when newer code wrote it: deploy that code here first.
   */
  upcast<E extends RecordedEvent>(event: E, options?: UpcastOptions): E
}

/**
 * Collects event definitions by type.
 *
 * @param owner where a definition that is missing has to be added, for the error.
 * @throws DEFINITION_INVALID when two different definitions have one type.
 */
export function eventRegistry(
  definitions: Iterable<AnyEventDefinition>,
  owner = '`events`',
): EventRegistry {
  const byType = new Map<string, AnyEventDefinition>()
  for (const definition of definitions) {
    refuseSecond(byType.get(definition.type), definition)
    byType.set(definition.type, definition)
  }
  return {
    types: [...byType.keys()],
    definitions: [...byType.values()],
    definitionOf: (type) => byType.get(type),
    upcast: (event, options) => upcast(byType.get(event.type), event, owner, options),
  }
}

function upcast<E extends RecordedEvent>(
  definition: AnyEventDefinition | undefined,
  event: E,
  owner: string,
  { unknownEvents = 'fail' }: UpcastOptions = {},
): E {
  if (definition !== undefined && knows(definition, event)) return toNewest(definition, event)
  if (unknownEvents === 'raw') return event
  throw definition === undefined ? unknownType(event, owner) : unknownVersion(definition, event)
}

function knows(definition: AnyEventDefinition, { schemaVersion }: RecordedEvent): boolean {
  return schemaVersion >= 1 && schemaVersion <= definition.schemaVersion
}

function toNewest<E extends RecordedEvent>(definition: AnyEventDefinition, event: E): E {
  if (event.schemaVersion === definition.schemaVersion) return event
  return { ...event, data: definition.upcast(event.schemaVersion, event.data) }
}

function refuseSecond(known: AnyEventDefinition | undefined, added: AnyEventDefinition): void {
  if (known === undefined || known === added) return
  const reason = 'two definitions have this type; export one and import it everywhere'
  throw new TidemarkError('DEFINITION_INVALID', `event "${added.type}": ${reason}`, {
    details: { name: added.type, reason },
  })
}

function unknownType(event: RecordedEvent, owner: string): TidemarkError {
  const { type, streamId, position } = event
  return new TidemarkError(
    'EVENT_TYPE_UNKNOWN',
    `no definition for event type "${type}" of ${place(event)}: add it to ${owner}`,
    { details: { type, streamId, position } },
  )
}

function unknownVersion(definition: AnyEventDefinition, event: RecordedEvent): TidemarkError {
  const { type, schemaVersion, streamId, position } = event
  const newestKnown = definition.schemaVersion
  return new TidemarkError(
    'EVENT_SCHEMA_VERSION_UNKNOWN',
    `event "${type}" of ${place(event)} has schema version ${schemaVersion}, this code knows up ` +
      `to ${newestKnown}: deploy the newer definition`,
    { details: { type, schemaVersion, newestKnown, streamId, position } },
  )
}

function place(event: RecordedEvent): string {
  const position = event.position === null ? 'not sequenced yet' : `position ${event.position}`
  return `stream "${event.streamId}" version ${event.version} (${position})`
}
