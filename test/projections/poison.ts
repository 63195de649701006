import { sql } from 'kysely'
import { z } from 'zod'
import { event, foreignKey, integer, projection, table, text } from '../../src/index.ts'

/** How an event is refused, if it is: by the handler, or by the server. */
export type Poison = 'throws' | 'overflows'

export const Noted = event('noted').v(
  1,
  z.object({ key: z.string(), other: z.string(), n: z.int() }),
)

/** Numbers of the events that a handler refuses. Whoever empties it has mended the handler. */
export interface Poisoned {
  readonly has: (n: number) => boolean
  readonly by: Poison
}

/** What the server refuses in a column of type integer. */
const tooLarge = 2 ** 40

function refuse(poisoned: Poisoned, n: number): number {
  if (!poisoned.has(n)) return n
  if (poisoned.by === 'throws') throw new Error(`cannot take ${n}`)
  return tooLarge
}

const rows = table({ key: text().primaryKey(), last: integer(), trail: text() })

interface Options {
  readonly onError?: 'stop' | 'park'
  readonly maxParked?: number
}

function base(name: string, options: Options) {
  return projection(name, { version: 1, events: [Noted], tables: { rows }, ...options })
}

const labels = table({ label: text().primaryKey() })

const labelled = table(
  { key: text().primaryKey(), last: integer(), trail: text(), label: text().nullable() },
  { foreignKeys: { labelled_label: foreignKey(labels, { label: 'label' }) } },
)

/**
 * One row a key, with a trail that shows the order. What the server refuses is a label that is not in the
 * table of labels, at the end of the transaction.
 */
export function notesByFold(name: string, poisoned: Poisoned, options: Options = {}) {
  const refuses = (n: number) => poisoned.by === 'overflows' && poisoned.has(n)
  return projection(name, {
    version: 1,
    events: [Noted],
    tables: { rows: labelled, labels },
    ...options,
  }).fold('rows', {
    key: ({ data }) => (data.key.startsWith(`${name}/`) ? { key: data.key } : null),
    on: {
      // A label stays to the end of a chunk: only the row at the end is written.
      noted: (row, { data: { n } }) => ({
        last: refuses(n) ? n : refuse(poisoned, n),
        trail: `${row?.trail ?? ''},${n}`,
        label: refuses(n) ? 'unknown' : (row?.label ?? null),
      }),
    },
  })
}

export function notesByEach(name: string, poisoned: Poisoned, options: Options = {}) {
  return base(name, options).each({
    key: ({ data }) => data.key,
    on: {
      noted: (_db, { data: { key, n } }) =>
        key.startsWith(`${name}/`)
          ? sql`
              insert into rows as r (key, last, trail) values (${key}, ${refuse(poisoned, n)}, ${`,${n}`})
              on conflict (key) do update
              set last = excluded.last, trail = r.trail || excluded.trail`
          : null,
    },
  })
}

/** The statement fails for a whole chunk, and names no event. Its key is the stream. */
export function notesByBatch(name: string, poisoned: Poisoned, options: Options = {}) {
  const poison = Array.from({ length: 200 }, (_, n) => n).filter(poisoned.has)
  return base(name, options).batch(
    (_db, events) => sql`
      insert into rows as r (key, last, trail)
      select n.key, (array_agg(n.last order by n.position desc))[1],
        string_agg(',' || n.n, '' order by n.position)
      from (
        select e.position, e.data ->> 'key' as key, e.data ->> 'n' as n,
          case
            when (e.data ->> 'n')::integer = any (${poison}::integer[]) then ((e.data ->> 'n')::bigint + ${tooLarge})::integer
            else (e.data ->> 'n')::integer
          end as last
        from ${events()} as e
        where starts_with(e.data ->> 'key', ${`${name}/`})
      ) as n
      group by 1
      on conflict (key) do update set last = excluded.last, trail = r.trail || excluded.trail`,
  )
}

/** Two folds with keys of their own and a level a stream: three lanes, of which two may refuse. */
export function notesByLanes(name: string, poisoned: Poisoned, options: Options = {}) {
  return projection(name, {
    version: 1,
    events: [Noted],
    tables: { rows, others: rows, seen: table({ n: integer().primaryKey() }) },
    ...options,
  })
    .fold('rows', {
      key: ({ data }) => (data.key.startsWith(`${name}/`) ? { key: data.key } : null),
      on: {
        noted: (row, { data: { n } }) => ({
          last: refuse(poisoned, n),
          trail: `${row?.trail ?? ''},${n}`,
        }),
      },
    })
    .fold('others', {
      key: ({ data }) => (data.key.startsWith(`${name}/`) ? { key: data.other } : null),
      on: {
        // Refuses every second of them alone.
        noted: (row, { data: { n } }) => ({
          last: n % 2 === 0 ? refuse(poisoned, n) : n,
          trail: `${row?.trail ?? ''},${n}`,
        }),
      },
    })
    .each({
      on: {
        noted: (db, { data: { key, n } }) =>
          key.startsWith(`${name}/`) ? db.insertInto('seen').values({ n }) : null,
      },
    })
}
