import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JsonObject } from './json.ts'
import type { RecordedEvent, SequencedEvent } from './recorded-event.ts'
import { TidemarkError } from './tidemark-error.ts'
import { validateData } from './validate-data.ts'

/** An event that is not in the log yet. Made by calling an event definition. */
export interface NewEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  /** Version of the type's schema that `data` conforms to, from 1. */
  readonly schemaVersion: number
  readonly data: Data
  /** UUID, version 7 by habit. Chosen at append when it is not given. */
  readonly id?: string
  readonly metadata?: JsonObject
  readonly tags?: readonly string[]
}

export type NewEventOptions = Pick<NewEvent, 'id' | 'metadata' | 'tags'>

/**
 * Describes one event type in all its schema versions. Call it to make an event; ask
 * {@link EventDefinition.is} whether a recorded event is one of these.
 */
export interface EventDefinition<Type extends string = string, Input = never, Data = unknown> {
  /**
   * Makes an event of the newest schema version.
   *
   * @throws EVENT_DATA_INVALID when the schema refuses the data. Nothing was written.
   */
  (data: Input, options?: NewEventOptions): NewEvent<Type, Data>

  readonly type: Type
  /** The newest schema version. */
  readonly schemaVersion: number
  /** The schemas of all versions, the first one first. */
  readonly schemas: readonly StandardSchemaV1[]

  /** Narrows an event to this type. It has no more than it had: a position only if it had one. */
  is<E extends { readonly type: string }>(
    event: E,
  ): event is E & Pick<RecordedEvent<Type, Data>, 'type' | 'data'>

  /**
   * Brings stored data of an older schema version to the newest shape, one version at a time.
   * Data of the newest version comes back as it is.
   */
  upcast(schemaVersion: number, data: unknown): Data
}

/** An event definition to which one more schema version can be added. */
export interface ExtensibleEventDefinition<Type extends string, Input, Data>
  extends EventDefinition<Type, Input, Data> {
  /**
   * Adds the next schema version.
   *
   * @param version the version before plus one.
   * @param upcast turns data of the version before into data of this one. Pure: it runs at every
   *   read of an old event.
   */
  v<S extends StandardSchemaV1>(
    version: number,
    schema: S,
    upcast: (previous: Data) => StandardSchemaV1.InferOutput<S>,
  ): ExtensibleEventDefinition<
    Type,
    StandardSchemaV1.InferInput<S>,
    StandardSchemaV1.InferOutput<S>
  >
}

/** The start of an event definition: a type without a schema. */
export interface EventDefinitionStart<Type extends string> {
  /** Gives the first schema version: any Standard Schema, such as a zod object. */
  v<S extends StandardSchemaV1>(
    version: 1,
    schema: S,
  ): ExtensibleEventDefinition<
    Type,
    StandardSchemaV1.InferInput<S>,
    StandardSchemaV1.InferOutput<S>
  >
}

/** Any event definition, whatever its data. */
export type AnyEventDefinition = EventDefinition<string, never, unknown>

/** The events of the log that a list of definitions describes, as a union. */
export type EventOf<D extends AnyEventDefinition> =
  D extends EventDefinition<infer Type, never, infer Data> ? SequencedEvent<Type, Data> : never

/** The same events while they are appended: they have no positions yet. */
export type AppendedEventOf<D extends AnyEventDefinition> =
  D extends EventDefinition<infer Type, never, infer Data>
    ? Omit<SequencedEvent<Type, Data>, 'position'>
    : never

interface SchemaVersion {
  readonly schema: StandardSchemaV1
  readonly upcast: (previous: unknown) => unknown
}

/** An event that is not in the log yet, of one of the given definitions, as a union. */
export type NewEventOf<D extends AnyEventDefinition> =
  D extends EventDefinition<infer Type, never, infer Data> ? NewEvent<Type, Data> : never

/**
 * Starts the definition of an event type. Types are named `<domain>.<entity>.<event>`, in the past
 * tense, from the general to the special: `billing.invoice.sent`. A small system leaves the domain
 * out: `order.placed`. The name is stored with every event: choose it once.
 *
 * A schema is any Standard Schema that validates synchronously. Data is checked when an event is
 * made, never when it is read: what is in the log has happened. zod's schemas check two to three
 * times faster when they are compiled, `z.compile(schema)` (decision 0012).
 *
 * @throws DEFINITION_INVALID when the type is empty.
 */
export function event<const Type extends string>(type: Type): EventDefinitionStart<Type> {
  if (type.trim() === '') {
    throw invalid(type, 'the event type is empty')
  }
  const start = {
    v: (version: number, schema: StandardSchemaV1) => define(type, [], version, schema),
  }
  return start as unknown as EventDefinitionStart<Type>
}

function define(
  type: string,
  older: readonly SchemaVersion[],
  version: number,
  schema: StandardSchemaV1,
  upcast?: (previous: unknown) => unknown,
): unknown {
  refuseGap(type, older.length, version)
  if (version > 1 && typeof upcast !== 'function') {
    throw invalid(type, `schema version ${version} needs an upcaster from version ${version - 1}`)
  }
  const versions = [...older, { schema, upcast: upcast ?? ((data: unknown) => data) }]
  const make = (data: unknown, options?: NewEventOptions): NewEvent => ({
    type,
    schemaVersion: version,
    data: validateData(type, version, schema, data),
    ...options,
  })
  return Object.assign(make, {
    type,
    schemaVersion: version,
    schemas: versions.map((one) => one.schema),
    is: (candidate: { readonly type: string }) => candidate.type === type,
    upcast: (from: number, data: unknown) =>
      versions.slice(from).reduce((shape, step) => step.upcast(shape), data),
    v: (next: number, nextSchema: StandardSchemaV1, nextUpcast: (previous: unknown) => unknown) =>
      define(type, versions, next, nextSchema, nextUpcast),
  })
}

function refuseGap(type: string, known: number, version: number): void {
  if (version !== known + 1) {
    throw invalid(type, `schema version ${version} must be ${known + 1}`)
  }
}

function invalid(name: string, reason: string): TidemarkError {
  return new TidemarkError('DEFINITION_INVALID', `event "${name}": ${reason}`, {
    details: { name, reason },
  })
}
