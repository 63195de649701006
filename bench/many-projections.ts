import { z } from 'zod'
import {
  type AnyProjection,
  bigint,
  event,
  integer,
  type NewEvent,
  projection,
  table,
} from '../src/index.ts'

/** Event types in the log of `projection/many`, and projections that read one each. */
export const manyTypes = 100

const definitions = Array.from({ length: manyTypes }, (_, i) =>
  event(`many.type-${i}`).v(1, z.object({ key: z.int(), cents: z.int() })),
)

/** Makes an event of one of the types. */
export function eventOfType(type: number, key: number): NewEvent {
  const definition = definitions[type % manyTypes]
  if (definition === undefined) throw new Error(`there is no type ${type}`)
  return definition({ key, cents: 4200 })
}

/** The first so many projections, each of one type. */
export function manyProjections(count: number): readonly AnyProjection[] {
  return definitions.slice(0, count).map((definition, i) => {
    const add = (row: Sum | null, { data }: { readonly data: Sum }) => ({
      cents: (row?.cents ?? 0n) + BigInt(data.cents),
    })
    return projection(`many_${i}`, {
      version: 1,
      events: [definition],
      tables: { sums: table({ key: integer().primaryKey(), cents: bigint() }) },
    }).fold('sums', {
      key: ({ data }) => ({ key: data.key }),
      // No type of these has a name that the compiler knows.
      on: { [definition.type]: add } as never,
    })
  })
}

interface Sum {
  readonly cents: bigint
}
