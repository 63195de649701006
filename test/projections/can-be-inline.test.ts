import { sql } from 'kysely'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  bigint,
  event,
  type HandledEventOf,
  type ProjectionQuery,
  projection,
  table,
  text,
} from '../../src/index.ts'

const Opened = event('account.opened').v(1, z.object({ account: z.string() }))
const Deposited = event('account.deposited').v(1, z.object({ account: z.string(), cents: z.int() }))

const options = {
  version: 1,
  events: [Opened, Deposited],
  tables: { balances: table({ account: text().primaryKey(), cents: bigint(), at: bigint() }) },
} as const

const workers = projection('accounts', options)
const inline = projection('accounts', { ...options, canBeInline: true })

test('says of itself whether appends may apply it', () => {
  expect([workers.canBeInline, inline.canBeInline]).toEqual([false, true])
  expectTypeOf(workers.canBeInline).toEqualTypeOf<false>()
  expectTypeOf(inline.canBeInline).toEqualTypeOf<true>()
  const folded = inline.fold('balances', {
    key: () => null,
    on: { 'account.opened': () => null, 'account.deposited': () => null },
  })
  expect(folded.canBeInline).toBe(true)
  expectTypeOf(folded.canBeInline).toEqualTypeOf<true>()
})

test('a fold reads positions only where workers alone apply it', () => {
  workers.fold('balances', {
    key: ({ data, position }) => (position > 0n ? { account: data.account } : null),
    on: {
      'account.opened': (_, { position }) => ({ cents: 0n, at: position }),
      'account.deposited': (_, { position }) => ({ cents: 0n, at: position }),
    },
  })
  inline.fold('balances', {
    // @ts-expect-error it has no position yet
    key: ({ data, position }) => (position > 0n ? { account: data.account } : null),
    on: {
      // @ts-expect-error it has no position yet
      'account.opened': (_, { position }) => ({ cents: 0n, at: position }),
      'account.deposited': (_, event) => {
        // @ts-expect-error it has none either when it is told from others
        if (Deposited.is(event)) expect(event.position).toBeUndefined()
        expectTypeOf(event.type).toEqualTypeOf<'account.deposited'>()
        expectTypeOf(event.data).toEqualTypeOf<{ account: string; cents: number }>()
        expectTypeOf(event.version).toEqualTypeOf<bigint>()
        // @ts-expect-error it has no position yet
        return { cents: BigInt(event.data.cents), at: event.position }
      },
    },
  })
})

test('so do handlers of `each`', () => {
  workers.each({
    key: ({ position }) => `${position}`,
    on: {
      'account.opened': (db, { position }) => db.deleteFrom('balances').where('at', '=', position),
      'account.deposited': () => null,
    },
  })
  inline.each({
    // @ts-expect-error it has no position yet
    key: ({ position }) => `${position}`,
    on: {
      'account.opened': (db, event) =>
        // @ts-expect-error it has no position yet
        db.deleteFrom('balances').where('at', '=', event.position),
      'account.deposited': (db, { data }) =>
        db.deleteFrom('balances').where('account', '=', data.account),
    },
  })
})

test('so do queries of `batch`', () => {
  workers.batch((db, events) =>
    db
      .insertInto('balances')
      .columns(['account', 'cents', 'at'])
      .expression((eb) =>
        eb
          .selectFrom(events('account.opened').as('e'))
          .select((e) => [
            e.ref('e.stream_id').as('a'),
            sql`0`.as('c'),
            e.ref('e.position').as('p'),
          ]),
      ),
  )
  inline.batch((db, events) =>
    db
      .insertInto('balances')
      .columns(['account', 'cents', 'at'])
      .expression((eb) =>
        eb.selectFrom(events('account.opened').as('e')).select((e) => [
          e.ref('e.stream_id').as('a'),
          e.ref('e.ordinal').as('c'),
          // @ts-expect-error they have no positions yet
          e.ref('e.position').as('p'),
        ]),
      ),
  )
})

test('whoever cannot tell gets no position either, and queries are typed as before', () => {
  type Unknown = HandledEventOf<typeof Opened, boolean>
  expectTypeOf<Unknown>().toHaveProperty('data')
  expectTypeOf<Unknown>().not.toHaveProperty('position')
  expectTypeOf<HandledEventOf<typeof Opened>>().toHaveProperty('position')
  expectTypeOf<ProjectionQuery<typeof inline>>().toEqualTypeOf<ProjectionQuery<typeof workers>>()
  expectTypeOf<ProjectionQuery<{ a: typeof inline }>>().toEqualTypeOf<
    ProjectionQuery<{ a: typeof workers }>
  >()
})
