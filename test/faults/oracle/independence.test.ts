import { glob, readFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const folder = import.meta.dirname

/** Everything that the oracle's modules import, however far away. */
async function importsFrom(path: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(path)) return found
  found.add(path)
  const source = await readFile(path, 'utf8')
  for (const [, specifier = ''] of source.matchAll(/from '(\.[^']+)'/g)) {
    await importsFrom(normalize(join(path, '..', specifier)), found)
  }
  return found
}

test('the oracle shares no code with the product', async () => {
  const modules = await Array.fromAsync(glob('*.ts', { cwd: folder }))
  const oracle = modules.filter((name) => !name.endsWith('.test.ts'))
  const imported = await Promise.all(oracle.map((name) => importsFrom(join(folder, name))))
  const others = imported.flatMap((paths) => [...paths]).filter((path) => !path.startsWith(folder))
  expect(oracle.length).toBeGreaterThan(4)
  expect(new Set(others.map((path) => path.split('/').at(-1)))).toEqual(
    new Set(['account-rules.ts']),
  )
})
