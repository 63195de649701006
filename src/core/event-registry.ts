import type { AnyEventDefinition } from './event.ts'
import type { RecordedEvent } from './recorded-event.ts'
import { TidemarkError } from './tidemark-error.ts'

/** Brings stored events to the newest shape of their type. */
export interface EventRegistry {
  readonly types: readonly string[]
  definitionOf(type: string): AnyEventDefinition | undefined

  /**
   * Returns the event with its data in the newest shape.
   *
   * @throws EVENT_TYPE_UNKNOWN when no definition has this type.
   * @throws EVENT_SCHEMA_VERSION_UNKNOWN when newer code wrote it: deploy that code here first.
   */
  upcast<E extends RecordedEvent>(event: E): E
}

/**
 * Collects event definitions by type.
 *
 * @throws DEFINITION_INVALID when two different definitions have one type.
 */
export function eventRegistry(definitions: Iterable<AnyEventDefinition>): EventRegistry {
  const byType = new Map<string, AnyEventDefinition>()
  for (const definition of definitions) {
    refuseSecond(byType.get(definition.type), definition)
    byType.set(definition.type, definition)
  }
  return {
    types: [...byType.keys()],
    definitionOf: (type) => byType.get(type),
    upcast: (event) => upcast(byType.get(event.type), event),
  }
}

function upcast<E extends RecordedEvent>(definition: AnyEventDefinition | undefined, event: E): E {
  if (definition === undefined) throw unknownType(event)
  if (event.schemaVersion === definition.schemaVersion) return event
  if (event.schemaVersion > definition.schemaVersion) throw unknownVersion(definition, event)
  if (event.schemaVersion < 1) throw unknownVersion(definition, event)
  return { ...event, data: definition.upcast(event.schemaVersion, event.data) }
}

function refuseSecond(known: AnyEventDefinition | undefined, added: AnyEventDefinition): void {
  if (known === undefined || known === added) return
  const reason = 'two definitions have this type; export one and import it everywhere'
  throw new TidemarkError('DEFINITION_INVALID', `event "${added.type}": ${reason}`, {
    details: { name: added.type, reason },
  })
}

function unknownType(event: RecordedEvent): TidemarkError {
  const { type, streamId, position } = event
  return new TidemarkError(
    'EVENT_TYPE_UNKNOWN',
    `no definition for event type "${type}" of ${place(event)}: add it to \`events\``,
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
