import type { GeneratedAlways, Kysely, Selectable } from 'kysely'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  array,
  bigint,
  enumeration,
  event,
  foreignKey,
  type Json,
  jsonb,
  type Key,
  numeric,
  projection,
  type Row,
  rows,
  type Store,
  table,
  text,
  timestamptz,
  type Values,
  type WriteDatabase,
} from '../../src/index.ts'

const Opened = event('account.opened').v(1, z.object({ account: z.string() }))
const Deposited = event('account.deposited').v(1, z.object({ account: z.string(), cents: z.int() }))

const balances = table({
  account: text().primaryKey(),
  currency: text().primaryKey(),
  cents: bigint(),
  rate: numeric().nullable(),
  opened_at: timestamptz(),
  notes: jsonb<string[]>().default([]),
})

const start = projection('accounts', {
  version: 1,
  events: [Opened, Deposited],
  tables: { balances, loose: table({ anything: jsonb() }) },
})

const accounts = start.fold('balances', {
  key: ({ data }) => ({ account: data.account, currency: 'EUR' }),
  on: {
    'account.opened': (_row, { recordedAt }) => ({ cents: 0n, opened_at: recordedAt }),
    'account.deposited': (row, { data }) =>
      row && { ...row, cents: row.cents + BigInt(data.cents) },
  },
})

const key = () => ({ account: 'a', currency: 'EUR' })
const values = () => ({ cents: 0n, opened_at: new Date(0) })

test('a table gives the types of its rows, its keys and the values of a reducer', () => {
  expectTypeOf<Row<typeof balances>>().toEqualTypeOf<{
    readonly account: string
    readonly currency: string
    readonly cents: bigint
    readonly rate: string | null
    readonly opened_at: Date
    readonly notes: string[]
  }>()
  expectTypeOf<Key<typeof balances>>().toEqualTypeOf<{
    readonly account: string
    readonly currency: string
  }>()
  expectTypeOf<{ cents: bigint; opened_at: Date }>().toExtend<Values<typeof balances>>()
  expectTypeOf<{ cents: bigint }>().not.toExtend<Values<typeof balances>>()
  expectTypeOf<{ cents: number; opened_at: Date }>().not.toExtend<Values<typeof balances>>()
})

test('a reducer is typed by its event and its row', () => {
  start.fold('balances', {
    key: (event) => {
      expectTypeOf(event.type).toEqualTypeOf<'account.opened' | 'account.deposited'>()
      expectTypeOf(event.position).toEqualTypeOf<bigint>()
      return key()
    },
    on: {
      'account.opened': (row, event) => {
        expectTypeOf(row).toEqualTypeOf<Row<typeof balances> | null>()
        expectTypeOf(event.data).toEqualTypeOf<{ account: string }>()
        return null
      },
      'account.deposited': (_row, event) => {
        expectTypeOf(event.data).toEqualTypeOf<{ account: string; cents: number }>()
        return values()
      },
    },
  })
})

test('a fold that leaves out an event, or invents one, does not compile', () => {
  start.fold('balances', {
    key,
    // @ts-expect-error 'account.deposited' has no reducer
    on: { 'account.opened': values },
  })
  start.fold('balances', {
    events: [Opened],
    key,
    on: { 'account.opened': values },
  })
  const invented = () =>
    start.fold('balances', {
      key,
      on: {
        'account.opened': values,
        'account.deposited': values,
        // @ts-expect-error no such event
        'account.closed': values,
      },
    })
  expect(invented).toThrow('handles "account.closed"')
})

test('a fold with a wrong table, key or value does not compile', () => {
  const on = { 'account.opened': values, 'account.deposited': values }
  // @ts-expect-error no such table
  const wrongTable = () => start.fold('balance', { key, on })
  // @ts-expect-error a column of the key is missing
  start.fold('balances', { key: () => ({ account: 'a' }), on })
  // @ts-expect-error a column of the key has another type
  start.fold('balances', { key: () => ({ account: 1, currency: 'EUR' }), on })
  start.fold('balances', {
    key,
    on: {
      ...on,
      // @ts-expect-error a number where a bigint belongs
      'account.opened': () => ({ cents: 0, opened_at: new Date(0) }),
    },
  })
  start.fold('balances', {
    key,
    on: {
      ...on,
      // @ts-expect-error a column without default is missing
      'account.opened': () => ({ cents: 0n }),
    },
  })
  start.fold('balances', {
    key,
    on: {
      ...on,
      // @ts-expect-error null in a column that is not nullable
      'account.opened': () => ({ ...values(), cents: null }),
    },
  })
  expectTypeOf(wrongTable).toBeFunction()
})

test('a fold that returns a column which is not there, or not its to write, does not compile', () => {
  const on = { 'account.opened': values, 'account.deposited': values }
  start.fold('balances', {
    key,
    // @ts-expect-error no such column
    on: { ...on, 'account.opened': () => ({ ...values(), cent: 1n }) },
  })
  start.fold('balances', {
    key,
    on: {
      ...on,
      // @ts-expect-error a column of the key has another type
      'account.opened': () => ({ ...values(), account: 1 }),
    },
  })
  const generated = projection('generated', {
    version: 1,
    events: [Opened],
    tables: {
      t: table({
        account: text().primaryKey(),
        mail: text(),
        domain: text().generatedAs("split_part(mail, '@', 2)"),
        state: enumeration('open', 'closed').default('open'),
        tags: array(text().nullable()).nullable(),
      }),
    },
  })
  generated.fold('t', {
    key: ({ data }) => data,
    on: {
      'account.opened': (row) => {
        expectTypeOf(row).toEqualTypeOf<{
          readonly account: string
          readonly mail: string
          readonly state: 'open' | 'closed'
          readonly tags: readonly (string | null)[] | null
        } | null>()
        return { ...row, mail: 'a@b', state: 'closed', tags: [null, 'a'] }
      },
    },
  })
  generated.fold('t', {
    key: ({ data }) => data,
    // @ts-expect-error a generated column
    on: { 'account.opened': () => ({ mail: 'a@b', domain: 'b' }) },
  })
  generated.fold('t', {
    key: ({ data }) => data,
    // @ts-expect-error no such label
    on: { 'account.opened': () => ({ mail: 'a@b', state: 'gone' }) },
  })
  const query = (db: Kysely<WriteDatabase<typeof generated.tables>>) => {
    db.insertInto('t').values({ account: 'a', mail: 'a@b' })
    db.insertInto('t').values({ account: 'a', mail: 'a@b', state: 'closed', tags: null })
    db.updateTable('t')
      .set({ tags: ['a', null] })
      .where('domain', '=', 'b')
    // @ts-expect-error a column without default is missing
    db.insertInto('t').values({ account: 'a' })
    // @ts-expect-error a generated column
    db.insertInto('t').values({ account: 'a', mail: 'a@b', domain: 'b' })
    // @ts-expect-error a generated column
    db.updateTable('t').set({ domain: 'b' })
    // @ts-expect-error no such label
    db.updateTable('t').set({ state: 'gone' })
  }
  expectTypeOf(query).toBeFunction()
  expectTypeOf<
    Selectable<WriteDatabase<typeof generated.tables>['t']>['domain']
  >().toEqualTypeOf<string>()
})

test('options of a table that name columns which are not there do not compile', () => {
  const columns = { account: text().primaryKey(), mail: text(), parent: text().nullable() }
  table(columns, {
    unique: { one_mail: ['mail', 'account'] },
    indexes: {
      by_mail: ['mail', { sql: 'lower(parent)' }],
      by_parent: { on: ['parent'], include: ['mail'], unique: true },
    },
    foreignKeys: { both: foreignKey(balances, { account: 'account', mail: 'currency' }) },
  })
  // @ts-expect-error no such column in an index
  table(columns, { indexes: { by_mail: ['mails'] } })
  // @ts-expect-error no such column in an index
  table(columns, { indexes: { by_mail: { on: ['mail'], include: ['mails'] } } })
  // @ts-expect-error no such column in a unique constraint
  table(columns, { unique: { one_mail: ['mails'] } })
  // @ts-expect-error no such column in a foreign key
  table(columns, { foreignKeys: { both: foreignKey(balances, { accounts: 'account' }) } })
  // @ts-expect-error no such column in the table that is referred to
  foreignKey(balances, { account: 'accounts' })
  text().references(balances, 'account').nullable()
  text().nullable().references(balances, 'account')
  // @ts-expect-error no such column in the table that is referred to
  text().references(balances, 'accounts')
  // @ts-expect-error the column that is referred to has another type
  bigint().references(balances, 'account')
  // @ts-expect-error no label of that name
  enumeration('open', 'closed').default('gone')
  // @ts-expect-error null in an array of a type that is not nullable
  array(text()).default([null])
})

test('tables of plain SQL are typed as they are said to be, and are not folded into', () => {
  const own = projection('own', {
    version: 1,
    events: [Opened],
    ddl: 'create table visits (id bigint generated always as identity, page text not null)',
    tables: rows<{ visits: { id: GeneratedAlways<bigint>; page: string } }>(),
  })
  // @ts-expect-error no declared columns
  const folded = () => own.fold('visits', { key, on: { 'account.opened': values } })
  expect(folded).toThrow('a fold needs declared columns')
  own.each({
    on: {
      'account.opened': (db) => {
        // @ts-expect-error a column is missing
        db.insertInto('visits').values({})
        // @ts-expect-error a column that the server computes
        db.insertInto('visits').values({ page: 'a', id: 1n })
        return db.insertInto('visits').values({ page: 'a' })
      },
    },
  })
  const typed = async (store: Store) => {
    const query = await store.query(own)
    const found = await query.selectFrom('visits').selectAll().execute()
    expectTypeOf(found).toEqualTypeOf<{ id: bigint; page: string }[]>()
  }
  expectTypeOf(typed).toBeFunction()
})

test('a column with a wrong default does not compile', () => {
  // @ts-expect-error a number where a bigint belongs
  bigint().default(1)
  // @ts-expect-error a list of numbers where a list of texts belongs
  jsonb<string[]>().default([1])
  // @ts-expect-error no JSON
  jsonb<Date>()
})

test('a query gives rows of the declared types', () => {
  const typed = async (store: Store) => {
    const query = await store.query(accounts)
    const rows = await query.selectFrom('balances').selectAll().execute()
    expectTypeOf(rows).toEqualTypeOf<
      {
        account: string
        currency: string
        cents: bigint
        rate: string | null
        opened_at: Date
        notes: string[]
      }[]
    >()
    const loose = await query.selectFrom('loose').select('anything').executeTakeFirstOrThrow()
    expectTypeOf(loose).toEqualTypeOf<{ anything: Json }>()
  }
  expectTypeOf(typed).toBeFunction()
})

test('a query of what is not there, or one that writes, does not compile', () => {
  const untyped = async (store: Store) => {
    const query = await store.query(accounts)
    // @ts-expect-error no such table
    query.selectFrom('balance')
    // @ts-expect-error no such column
    query.selectFrom('balances').select('amount')
    // @ts-expect-error a text where a bigint belongs
    query.selectFrom('balances').selectAll().where('cents', '=', 'many')
    // @ts-expect-error read-only
    query.insertInto('balances').values({})
    // @ts-expect-error read-only
    query.updateTable('balances').set({})
    // @ts-expect-error read-only
    query.deleteFrom('balances').execute()
  }
  expectTypeOf(untyped).toBeFunction()
})
