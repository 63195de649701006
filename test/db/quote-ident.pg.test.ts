import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quoteIdent } from '../../src/db/quote-ident.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase({ template: false })

test.each([
  ['orders', '"orders"'],
  ['Order list', '"Order list"'],
  ['a"b', '"a""b"'],
  ['"', '""""'],
  ['a"; drop table b; --', '"a""; drop table b; --"'],
  ['größe', '"größe"'],
])('%s is quoted as %s', (name, quoted) => {
  expect(quoteIdent(name)).toBe(quoted)
})

test('a name with U+0000 is refused', () => {
  expect(() => quoteIdent(`a${String.fromCharCode(0)}`)).toThrow(RangeError)
})

test('the server reads every name back as it was', async () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 15 })
    .filter((text) => !text.includes(String.fromCharCode(0)))
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      const { fields } = await database.pool.query(`select 1 as ${quoteIdent(text)}`)
      expect(fields[0]?.name).toBe(text)
    }),
  )
})
