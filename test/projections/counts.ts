import { z } from 'zod'
import { event, integer, type NewEvent, projection, table, text } from '../../src/index.ts'

export const Counted = event('counted').v(1, z.object({ key: z.string() }))

/** Makes events of which each third concerns the same row. */
export function counted(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, index) => Counted({ key: `key-${index % 3}` }))
}

export interface CountsOptions {
  /** Called for each event that is applied, to act in the middle of a chunk. */
  readonly onEvent?: () => void
  readonly schema?: string
}

/** A projection whose every row tells which version wrote it. */
export function counts(name: string, version: number, options: CountsOptions = {}) {
  const { onEvent, schema } = options
  return projection(name, {
    version,
    events: [Counted],
    canBeInline: true,
    tables: {
      counts: table({ key: text().primaryKey(), count: integer(), version: integer() }),
      totals: table({ key: text().primaryKey(), total: integer(), version: integer() }),
    },
    ...(schema === undefined ? {} : { schema }),
  })
    .fold('counts', {
      key: ({ data }) => ({ key: data.key }),
      on: {
        counted: (row) => {
          onEvent?.()
          return { count: (row?.count ?? 0) + 1, version }
        },
      },
    })
    .fold('totals', {
      key: () => ({ key: 'all' }),
      on: { counted: (row) => ({ total: (row?.total ?? 0) + 1, version }) },
    })
}
