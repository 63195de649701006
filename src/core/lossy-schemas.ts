import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AnyEventDefinition } from './event.ts'
import { offersJsonSchema } from './json-schemas.ts'

/** A place in an event's data that JSON does not hold as the schema's type says. */
export interface LossyPlace {
  readonly schemaVersion: number
  /** Where in the JSON Schema of the data, such as `/properties/placedAt`; empty for all of it. */
  readonly path: string
  readonly reason: string
}

/**
 * Finds what the schemas of an event promise and JSON cannot hold: a date comes back as text, a map
 * as an empty object, a big integer is refused by the append. Of zod's schemas only; other
 * libraries do not tell what they are made of. Empty when nothing was found, which is no proof: what
 * a transform or a custom schema makes is not known.
 */
export function findLossyPlaces(definition: AnyEventDefinition): readonly LossyPlace[] {
  return definition.schemas.flatMap((schema, index) =>
    placesOf(schema).map((place) => ({ schemaVersion: index + 1, ...place })),
  )
}

/** What `JSON.stringify` makes of values that zod's schemas of these types accept. */
const losses: Readonly<Record<string, string>> = {
  bigint: 'JSON has no big integers, so that the append fails: use a string',
  date: 'a Date is stored as text and read back as text: use z.iso.datetime()',
  map: 'a Map is stored as {}: use z.record() or an array of pairs',
  set: 'a Set is stored as {}: use z.array()',
  nan: 'NaN is stored as null',
  symbol: 'a symbol is not stored',
  function: 'a function is not stored',
  promise: 'a promise is stored as {}',
  file: 'a file is stored as {}',
}

/** Types that accept undefined: left out in an object, and refused as the whole of the data. */
const absences = ['undefined', 'void', 'optional']

/** What zod's converter tells for each schema that it walks over, in the shape that is used here. */
interface Visit {
  readonly path: readonly (string | number)[]
  readonly zodSchema: { readonly _zod: { readonly def: { readonly type: string } } }
}

function placesOf(schema: StandardSchemaV1): Omit<LossyPlace, 'schemaVersion'>[] {
  if (schema['~standard'].vendor !== 'zod' || !offersJsonSchema(schema)) return []
  const places: Omit<LossyPlace, 'schemaVersion'>[] = []
  const override = ({ path, zodSchema }: Visit) => {
    const { type } = zodSchema._zod.def
    const reason = losses[type] ?? (path.length === 0 ? lossAtTop(type) : undefined)
    if (reason !== undefined) places.push({ path: path.map((part) => `/${part}`).join(''), reason })
  }
  // The converter is the only walk over a schema that zod makes public: it follows getters, lazy
  // schemas and cycles, and the output side of a codec.
  // https://zod.dev/json-schema#override
  const libraryOptions = { unrepresentable: 'any', override }
  try {
    schema['~standard'].jsonSchema.output({ target: 'draft-2020-12', libraryOptions })
  } catch {
    // What cannot be walked is not known to lose anything, and advice must not stop a program.
  }
  return places.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function lossAtTop(type: string): string | undefined {
  return absences.includes(type) ? 'undefined is no data, so that the append fails' : undefined
}
