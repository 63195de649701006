import { sql } from 'kysely'
import { z } from 'zod'
import { bigint, event, integer, jsonb, projection, table, text } from '../../src/index.ts'

const change = z.object({ key: z.string(), amount: z.int() })

export const Added = event('added').v(1, change)
export const Removed = event('removed').v(1, change)

export const Scaled = event('scaled').v(1, change)

/** The same type in a later release: amounts are in hundredths. */
export const ScaledLater = Scaled.v(
  2,
  z.object({ key: z.string(), hundredths: z.int() }),
  ({ key, amount }) => ({ key, hundredths: amount * 100 }),
)

/** Sums, and a trail that shows the order. */
const sums = table({
  key: text().primaryKey(),
  sum: bigint(),
  entries: integer().default(0),
  trail: text(),
  notes: jsonb<string[]>().default([]),
})

const options = {
  version: 1,
  events: [Added, Removed],
  tables: { sums },
  canBeInline: true,
} as const

interface Sum {
  readonly sum: bigint
  readonly entries: number
  readonly trail: string
}

function add(row: Sum | null, amount: number) {
  return {
    sum: (row?.sum ?? 0n) + BigInt(amount),
    entries: (row?.entries ?? 0) + 1,
    trail: `${row?.trail ?? ''},${amount}`,
    notes: ['kept', `${amount}`],
  }
}

export function byFold(name: string) {
  return projection(name, options).fold('sums', {
    key: ({ data }) => ({ key: data.key }),
    on: {
      added: (row, { data }) => add(row, data.amount),
      removed: (row, { data }) => add(row, -data.amount),
    },
  })
}

export function byEach(name: string) {
  return projection(name, options).each({
    on: {
      added: (db, { data }) =>
        db
          .insertInto('sums')
          .values({ key: data.key, ...add(null, data.amount) })
          .onConflict((conflict) =>
            conflict.column('key').doUpdateSet((eb) => ({
              sum: eb('sums.sum', '+', eb.ref('excluded.sum')),
              entries: eb('sums.entries', '+', 1),
              trail: eb('sums.trail', '||', eb.ref('excluded.trail')),
              notes: ['kept', `${data.amount}`],
            })),
          ),
      // Reads first, and names its table in plain SQL.
      removed: async (db, { data }) => {
        const row = await db
          .selectFrom('sums')
          .select(['sum', 'entries', 'trail'])
          .where('key', '=', data.key)
          .executeTakeFirst()
        const next = add(row ?? null, -data.amount)
        return [
          sql`delete from sums where key = ${data.key}`,
          db.insertInto('sums').values({ key: data.key, ...next }),
        ]
      },
    },
  })
}

export function byBatch(name: string) {
  return projection(name, options).batch((_db, events) => [
    sql`
      insert into sums as s (key, sum, entries, trail, notes)
      select e.data ->> 'key', sum(a.amount), count(*), string_agg(',' || a.amount, '' order by e.ordinal),
        jsonb_build_array('kept', (array_agg(a.amount::text order by e.ordinal desc))[1])
      from ${events()} as e
      cross join lateral (
        select (e.data ->> 'amount')::bigint * case e.type when 'added' then 1 else -1 end
      ) as a (amount)
      group by 1
      on conflict (key) do update
      set
        sum = s.sum + excluded.sum,
        entries = s.entries + excluded.entries,
        trail = s.trail || excluded.trail,
        notes = excluded.notes`,
  ])
}

/** Two levels of one projection, the second over one of the types, by Kysely alone. */
export function byFoldAndBatch(name: string) {
  return projection(name, {
    ...options,
    tables: { sums, counts: table({ key: text().primaryKey(), n: bigint() }) },
  })
    .fold('sums', {
      key: ({ data }) => ({ key: data.key }),
      on: {
        added: (row, { data }) => add(row, data.amount),
        removed: (row, { data }) => add(row, -data.amount),
      },
    })
    .batch((db, events) =>
      db
        .insertInto('counts')
        .columns(['key', 'n'])
        .expression((eb) =>
          eb
            .selectFrom(events('removed').as('e'))
            .select((e) => [e.ref('e.stream_id').as('key'), e.fn.countAll<bigint>().as('n')])
            .groupBy('e.stream_id'),
        )
        .onConflict((conflict) =>
          conflict
            .column('key')
            .doUpdateSet((eb) => ({ n: eb('counts.n', '+', eb.ref('excluded.n')) })),
        ),
    )
}

/** Reads old events in their new shape. */
export function byBatchWithUpcaster(name: string) {
  return projection(name, { ...options, events: [ScaledLater, Removed] }).batch(
    (_db, events) => sql`
      insert into sums as s (key, sum, entries, trail, notes)
      select e.data ->> 'key', sum((e.data ->> 'hundredths')::bigint), count(*),
        string_agg(',' || (e.data ->> 'hundredths'), '' order by e.ordinal), '[]'
      from ${events('scaled')} as e
      group by 1
      on conflict (key) do update
      set
        sum = s.sum + excluded.sum,
        entries = s.entries + excluded.entries,
        trail = s.trail || excluded.trail`,
  )
}

/** The code of the release before. */
export function byBatchOfBefore(name: string) {
  return projection(name, { ...options, events: [Scaled] }).batch(
    (_db, events) => sql`
      insert into sums (key, sum, entries, trail, notes)
      select e.event_id::text, (e.data ->> 'amount')::bigint, 1, '', '[]'
      from ${events()} as e`,
  )
}
