import { glob, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { logNames } from '../../src/db/log-names.ts'
import {
  forSchema,
  migrationsDirectory,
  readSqlObjects,
  readSqlPrivileges,
} from '../../src/db/sql-files.ts'

const sqlDirectory = fileURLToPath(new URL('../../sql', import.meta.url))

describe('forSchema', () => {
  test.each([
    ['a table', 'from tidemark.events', 'from orders.events'],
    ['a name in a literal', `'tidemark.events'::regclass`, `'orders.events'::regclass`],
    ['every place', 'tidemark.a, tidemark.b', 'orders.a, orders.b'],
    ['a place after a bracket', '(tidemark.a)', '(orders.a)'],
    ['a type of two parts', 'setof tidemark.log_row', 'setof orders.log_row'],
  ])('rewrites %s', (_, text, expected) => {
    expect(forSchema(text, 'orders')).toBe(expected)
  })

  test.each([
    ['another schema that ends alike', 'my_tidemark.events'],
    ['another schema that begins alike', 'tidemark_two.events'],
    ['the word alone', 'a defect of tidemark'],
    ['another case', 'Tidemark.events'],
  ])('leaves %s alone', (_, text) => {
    expect(forSchema(text, 'orders')).toBe(text)
  })

  test('leaves SQL for the default schema as it is', () => {
    expect(forSchema('from tidemark.events', 'tidemark')).toBe('from tidemark.events')
  })

  test('rewrites once, also into a name that contains the old one', () => {
    expect(forSchema('from tidemark.events', 'my_tidemark')).toBe('from my_tidemark.events')
  })
})

test('the SQL objects and privileges are all the files below sql/, each listed once', async () => {
  const listed = [...(await readSqlObjects('tidemark')), ...(await readSqlPrivileges(logNames()))]
  const files = await Array.fromAsync(glob('**/*.sql', { cwd: sqlDirectory }))
  expect(listed.map(({ name }) => name).toSorted()).toEqual(files.toSorted())
})

describe('the SQL privileges', () => {
  test('are those of one grantee a file, public before the roles', async () => {
    const privileges = await readSqlPrivileges(logNames())
    expect(privileges.map(({ grantee }) => grantee)).toEqual([
      'public',
      'tidemark_append',
      'tidemark_read',
      'tidemark_worker',
    ])
    for (const { name, grantee, text } of privileges) {
      const grantees = [...text.matchAll(/^\s*(?:revoke .*)?(?:to|from) (\w+);$/gm)]
      expect(grantees.length, name).toBeGreaterThan(0)
      expect(new Set(grantees.map(([, to]) => to)), name).toEqual(new Set([grantee]))
    }
  })

  test('are rewritten for the schema and the roles of a log, and for nothing that begins alike', async () => {
    const ours = await readSqlPrivileges(logNames())
    const theirs = await readSqlPrivileges(logNames('my_tidemark'))
    for (const [index, { text, grantee }] of theirs.entries()) {
      expect(text).toBe(ours[index]?.text.replaceAll('tidemark', 'my_tidemark'))
      expect(grantee).toBe(ours[index]?.grantee.replace('tidemark', 'my_tidemark'))
    }
  })
})

describe('the SQL objects', () => {
  test('are one object a file, named like it', async () => {
    for (const { name, text } of await readSqlObjects('tidemark')) {
      const created = [
        // A constraint trigger cannot be replaced: it is dropped first.
        ...text.matchAll(
          /^create (?:or replace|constraint) (function|view|trigger) (?:tidemark\.)?(\w+)/gm,
        ),
      ]
      const kinds = new Set(created.map(([, kind]) => `${kind}s`))
      expect([...kinds], name).toEqual([name.split('/')[0]])
      if (kinds.has('triggers')) {
        expect(text, name).toContain(` on tidemark.${basename(name, '.sql')}\n`)
      } else {
        expect(
          created.map(([, , object]) => object),
          name,
        ).toEqual([basename(name, '.sql')])
      }
    }
  })

  test('differ in text and hash between schemas, not in name', async () => {
    const [ours, theirs] = await Promise.all([readSqlObjects('tidemark'), readSqlObjects('orders')])
    expect(theirs.map(({ name }) => name)).toEqual(ours.map(({ name }) => name))
    expect(theirs.map(({ hash }) => hash)).not.toEqual(ours.map(({ hash }) => hash))
    expect(theirs.filter(({ text }) => text.includes('tidemark.'))).toEqual([])
  })

  test('name every table, function and view with the schema that is rewritten', async () => {
    const migrations = await Array.fromAsync(glob('*.sql', { cwd: migrationsDirectory }))
    const texts = [
      ...(await readSqlObjects('tidemark')).map(({ name, text }) => [name, text] as const),
      ...(await Promise.all(
        migrations.map(
          async (name) => [name, await readFile(`${migrationsDirectory}/${name}`, 'utf8')] as const,
        ),
      )),
    ]
    const created = /^create (?:or replace )?(?:table|function|view|type|sequence) (\S+)/gm
    for (const [name, text] of texts) {
      for (const [, object] of text.matchAll(created)) {
        expect(object, name).toMatch(/^tidemark\./)
      }
    }
  })

  test('give each function the search path of the catalog, or a body that was bound when it was made', async () => {
    for (const { name, text } of await readSqlObjects('tidemark')) {
      if (!name.startsWith('functions/')) continue
      const bound = /^language sql$/m.test(text) && /^return\b/m.test(text)
      expect(bound || /^set search_path = pg_catalog, pg_temp$/m.test(text), name).toBe(true)
    }
  })
})
