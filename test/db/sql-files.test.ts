import { glob, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { forSchema, migrationsDirectory, readSqlObjects } from '../../src/db/sql-files.ts'

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

describe('the SQL objects', () => {
  test('are all the files below sql/, each listed once', async () => {
    const listed = (await readSqlObjects('tidemark')).map(({ name }) => name)
    const files = await Array.fromAsync(glob('**/*.sql', { cwd: sqlDirectory }))
    expect(listed.toSorted()).toEqual(files.toSorted())
  })

  test('are one object a file, named like it', async () => {
    for (const { name, text } of await readSqlObjects('tidemark')) {
      const created = [
        ...text.matchAll(/^create or replace (function|view|trigger) (?:tidemark\.)?(\w+)/gm),
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
