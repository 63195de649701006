import { foreignKey, integer, projection, table, text } from '../../src/index.ts'
import { Counted } from './counts.ts'

const kinds = table({ kind: text().primaryKey() })

/** A projection whose tables have indexes and a foreign key that a rebuild makes at its end. */
export function indexed(name: string, version: number, onEvent: () => void = () => {}) {
  return projection(name, {
    version,
    events: [Counted],
    tables: {
      kinds,
      items: table(
        { key: text().primaryKey(), kind: text(), count: integer(), version: integer() },
        {
          indexes: { items_count_idx: ['count'], items_kind_idx: ['kind'] },
          foreignKeys: { items_kind_fkey: foreignKey(kinds, { kind: 'kind' }) },
        },
      ),
    },
  })
    .fold('kinds', { key: () => ({ kind: 'all' }), on: { counted: () => ({}) } })
    .fold('items', {
      key: ({ data }) => ({ key: data.key }),
      on: {
        counted: (row) => {
          onEvent()
          return { kind: 'all', count: (row?.count ?? 0) + 1, version }
        },
      },
    })
}

export const indexNames = ['items_count_idx', 'items_kind_fkey', 'items_kind_idx']
