import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { exitCodeOfError } from '../src/cli/exit-codes.ts'

const sourceOf = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8')

test('docs/errors.md explains every error code, and no other', async () => {
  const details = await sourceOf('src/core/error-details.ts')
  const declared = [...details.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map((match) => match[1])
  const docs = await sourceOf('docs/errors.md')
  const explained = [...docs.matchAll(/^\| `([A-Z][A-Z_]+)` \|/gm)].map((match) => match[1])
  expect(declared.length).toBeGreaterThan(20)
  expect(explained.toSorted()).toEqual(declared.toSorted())
})

test('docs/errors.md explains every SQLSTATE that the SQL raises', async () => {
  const states = await sourceOf('src/db/sqlstate.ts')
  const declared = [...states.matchAll(/'(TM\d{3})'/g)].map((match) => match[1])
  const docs = await sourceOf('docs/errors.md')
  const explained = [...docs.matchAll(/^\| `(TM\d{3})` \|/gm)].map((match) => match[1])
  expect(explained).toEqual(declared)
})

test('docs/errors.md gives each code the exit code that the command line has for it', async () => {
  const docs = await sourceOf('docs/errors.md')
  const rows = [...docs.matchAll(/^\| `([A-Z][A-Z_]+)` \|.*\| (\d+) \|$/gm)]
  const documented = Object.fromEntries(rows.map(([, code, exit]) => [code, Number(exit)]))
  expect(documented).toEqual(exitCodeOfError)
})
