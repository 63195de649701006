import { describe, expect, test } from 'vitest'
import { advisoryLockKey, logNames, slotPrefix } from '../../src/db/log-names.ts'

describe('the names of a log', () => {
  test('derive from its schema', () => {
    expect(logNames('orders')).toEqual({
      schema: 'orders',
      channel: 'orders_log',
      publication: 'orders_log',
      roles: { append: 'orders_append', read: 'orders_read', worker: 'orders_worker' },
    })
  })

  test('are those of the schema tidemark by default', () => {
    expect(logNames().schema).toBe('tidemark')
  })

  test.each(['a', '_', '_private', 'tenant_42', 'a'.repeat(40)])('take schema %j', (schema) => {
    expect(logNames(schema).schema).toBe(schema)
  })

  test.each([
    ['is empty', ''],
    ['has capitals', 'Orders'],
    ['begins with a digit', '1st'],
    ['has a hyphen', 'my-log'],
    ['has a space', 'my log'],
    ['has a dot', 'a.b'],
    ['has a quote', 'a"b'],
    ['has a dollar sign', 'a$b'],
    ['has an umlaut', 'größe'],
    ['ends with a line break', 'orders\n'],
    ['is SQL', 'a; drop schema public'],
    ['is the system catalog', 'pg_catalog'],
    ['looks like a system schema', 'pg_orders'],
    ['is too long for the names made of it', 'a'.repeat(41)],
    ['is a reserved word', 'user'],
    ['is another reserved word', 'select'],
    ['is a word that cannot stand before a function', 'position'],
  ])('refuse a schema that %s', (_, schema) => {
    expect(() => logNames(schema)).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringContaining(`schema "${schema}" is not usable: `),
        details: { option: 'schema', reason: expect.any(String) },
      }),
    )
  })

  test('stay within the 63 bytes of a Postgres name', () => {
    const { roles, ...names } = logNames('a'.repeat(40))
    for (const name of [...Object.values(names), ...Object.values(roles)]) {
      expect(name.length).toBeLessThanOrEqual(63)
    }
  })
})

describe('the slots of a log', () => {
  test('have a prefix of their own in each database and schema', () => {
    const prefixes = [
      slotPrefix({ databaseOid: '16384' }, 'tidemark'),
      slotPrefix({ databaseOid: '16384' }, 'orders'),
      slotPrefix({ databaseOid: '16385' }, 'tidemark'),
      slotPrefix({ databaseOid: '16384\norders' }, 'tidemark'),
    ]
    expect(new Set(prefixes).size).toBe(prefixes.length)
    expect(slotPrefix({ databaseOid: '16384' }, 'tidemark')).toBe(prefixes[0])
  })

  test('have a prefix that Postgres accepts and that leaves room for a number', () => {
    const prefix = slotPrefix({ databaseOid: '4294967295' }, 'a'.repeat(40))
    expect(prefix).toMatch(/^tidemark_[0-9a-f]{12}_$/)
  })
})

describe('an advisory lock', () => {
  test('has a key of its own for each schema and purpose', () => {
    const keys = [
      advisoryLockKey('tidemark', 'migrate'),
      advisoryLockKey('tidemark', 'lead'),
      advisoryLockKey('orders', 'migrate'),
    ]
    expect(new Set(keys).size).toBe(keys.length)
    expect(advisoryLockKey('tidemark', 'migrate')).toBe(keys[0])
  })

  test('has a key that fits a signed 64-bit number', () => {
    for (let n = 0; n < 100; n += 1) {
      const key = advisoryLockKey('tidemark', `purpose ${n}`)
      expect(BigInt.asIntN(64, key)).toBe(key)
    }
  })
})
