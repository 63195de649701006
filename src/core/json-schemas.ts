import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import type { AnyEventDefinition } from './event.ts'
import { eventRegistry } from './event-registry.ts'
import { TidemarkError } from './tidemark-error.ts'

/** A JSON Schema document. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** JSON Schemas of event data: by event type, then by schema version. */
export type JsonSchemas = Readonly<Record<string, Readonly<Record<number, JsonSchema>>>>

export interface JsonSchemasOptions {
  /** Dialect of JSON Schema. Default `draft-2020-12`. */
  readonly target?: StandardJSONSchemaV1.Target
}

const defaults = { target: 'draft-2020-12' }

/**
 * Writes the data of every event type, in each of its schema versions, as JSON Schema: for other
 * languages that read the log, for documentation, for a diff in review. They describe data as it is
 * stored, that is, what a schema makes of its input.
 *
 * Asks the library of each schema by Standard JSON Schema (https://standardschema.dev/json-schema),
 * which zod offers.
 *
 * @throws NOT_SUPPORTED when a library does not offer it, or cannot say what a schema makes (a
 *   transform, a date); `cause` is what the library said.
 * @throws DEFINITION_INVALID when two different definitions have one type.
 */
export function jsonSchemas(
  definitions: Iterable<AnyEventDefinition>,
  options: JsonSchemasOptions = {},
): JsonSchemas {
  const { target } = { ...defaults, ...options }
  const byType = [...eventRegistry(definitions).definitions].map((definition) => {
    const versions = definition.schemas.map((schema, index) => {
      const version = index + 1
      return [version, toJsonSchema(definition.type, version, schema, target)] as const
    })
    return [definition.type, Object.fromEntries(versions)] as const
  })
  return Object.fromEntries(byType)
}

function toJsonSchema(
  type: string,
  version: number,
  schema: StandardSchemaV1,
  target: StandardJSONSchemaV1.Target,
): JsonSchema {
  const name = `schema version ${version} of event "${type}"`
  const { vendor } = schema['~standard']
  if (!offersJsonSchema(schema)) {
    throw notSupported(`${name}: library "${vendor}" does not offer Standard JSON Schema`)
  }
  try {
    return schema['~standard'].jsonSchema.output({ target })
  } catch (error) {
    throw notSupported(`${name}: library "${vendor}" cannot write it as JSON Schema`, error)
  }
}

/** Tells whether a schema's library implements Standard JSON Schema. */
export function offersJsonSchema(
  schema: StandardSchemaV1,
): schema is StandardSchemaV1 & StandardJSONSchemaV1 {
  return 'jsonSchema' in schema['~standard']
}

function notSupported(message: string, cause?: unknown): TidemarkError {
  return new TidemarkError('NOT_SUPPORTED', message, {
    details: { feature: 'JSON Schema of an event' },
    cause,
  })
}
