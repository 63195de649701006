import { describe, expect, test } from 'vitest'
import { makeProject } from './make-project.ts'
import { type CliResult, runCli } from './spawn-cli.ts'

/** Makes a project of these files and runs a command there that needs its config. */
async function load(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = ['rebuild', 'orders'],
): Promise<CliResult> {
  await using project = await makeProject(files)
  const result = await runCli(args, { cwd: project.directory })
  return { ...result, stderr: result.stderr.replaceAll(project.directory, '<project>') }
}

const refused = (reason: string) => ({
  code: 2,
  stdout: '',
  stderr: `error CONFIG_INVALID: config file "tidemark.config.ts": ${reason}\n`,
})

describe('a config file that cannot be used is told in one line:', () => {
  test.for<[string, string, string]>([
    [
      'a syntax error',
      'const a: number = 1\n\nexport default { a:: 2 }',
      'Expression expected (line 3)',
    ],
    [
      'TypeScript that Node cannot strip',
      'export enum State { Open }\nexport default {}',
      'TypeScript enum is not supported in strip-only mode (line 1)',
    ],
    [
      'a throw',
      'function read(): never {\n  throw new Error("no\\n  secret")\n}\nread()\nexport default {}',
      'no secret (line 2)',
    ],
    ['a throw of something else', 'throw "just text"', 'just text'],
    ['a throw of nothing', 'throw new Error()', 'it throws (line 1)'],
    [
      'a definition that the library refuses',
      "import { projection } from 'tidemark'\n\nprojection('Bad Name', { version: 1, events: [], tables: {} })",
      'projection "Bad Name": "Bad Name" is not a usable name: use a-z, 0-9 and _, ' +
        'at most 50 characters (line 3)',
    ],
    [
      'a package that is not installed',
      "import 'left-pad'\nexport default {}",
      "Cannot find package 'left-pad' imported from <project>/tidemark.config.ts",
    ],
    [
      'a file that does not exist',
      "import { orders } from './orders.ts'\nexport default { projections: [orders] }",
      "Cannot find module '<project>/orders.ts' imported from <project>/tidemark.config.ts",
    ],
    [
      'a name that is not exported',
      "import { defineConfg } from 'tidemark'\nexport default defineConfg({})",
      "The requested module 'tidemark' does not provide an export named 'defineConfg' (line 1)",
    ],
    [
      'no default export',
      'export const config = {}',
      'no default export: write `export default defineConfig({ … })`',
    ],
    [
      'a wrong type',
      "import { defineConfig } from 'tidemark'\nexport default defineConfig({ projections: ['orders'] as never })",
      'projections[0]: expected a projection, as `projection(…)` makes it, received a string',
    ],
    [
      'an await without end',
      'await new Promise(() => {})\nexport default {}',
      'its top-level await never ends',
    ],
    [
      'no database',
      'export default {}',
      'it has no `connectionString`: set it, pass --database-url or set DATABASE_URL',
    ],
  ])('%s', async ([, text, reason]) => {
    expect(await load({ 'tidemark.config.ts': text })).toEqual(refused(reason))
  })

  test('modules that package.json makes CommonJS, with the way out', async () => {
    const files = {
      'package.json': '{ "type": "commonjs" }',
      'tidemark.config.ts': "import 'tidemark'\nexport default {}",
    }
    const { code, stderr } = await load(files)
    expect(code).toBe(2)
    expect(stderr).toContain(
      'set `"type": "module"` in package.json, or call the file tidemark.config.mts',
    )
  })

  test('a mistake in a file that it imports', async () => {
    const files = {
      'tidemark.config.ts': "import './lib/orders.ts'\nexport default {}",
      'lib/orders.ts': '\nexport const orders: number = missing.orders',
    }
    expect(await load(files)).toEqual(refused('missing is not defined (lib/orders.ts:2)'))
  })

  test('with the stack trace when asked for', async () => {
    const files = { 'tidemark.config.ts': "import 'tidemark'\nthrow new Error('no')" }
    const { code, stderr } = await load(files, ['worker', '--verbose'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error CONFIG_INVALID: .*: no \(line 2\)\nTidemarkError: /)
    expect(stderr).toContain('caused by: Error: no\n    at file://<project>/tidemark.config.ts:2:7')
  })

  test('as JSON', async () => {
    const { code, stderr } = await load({ 'tidemark.config.ts': 'throw new Error("no")' }, [
      '--json',
      'status',
    ])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'CONFIG_INVALID',
        message: 'config file "tidemark.config.ts": no (line 1)',
        details: { path: 'tidemark.config.ts', reason: 'no (line 1)' },
      },
    })
  })
})

describe('the config file', () => {
  const unreachable = 'postgres://127.0.0.1:1/db'
  const one = `export default { connectionString: '${unreachable}' }`

  test.for([
    ['tidemark.config.js', one],
    ['tidemark.config.js', `module.exports = { connectionString: '${unreachable}' }`],
    ['tidemark.config.mjs', one],
    ['tidemark.config.ts', `${one} satisfies object`],
  ] as const)('may be %s: %s', async ([path, text]) => {
    const { code, stderr } = await load({ [path]: text }, ['status'])
    expect(stderr).toMatch(/^error CONNECTION_FAILED: cannot connect to 127\.0\.0\.1:1\/db.*\n$/)
    expect(code).toBe(3)
  })

  test('is the first of ts, js, mjs', async () => {
    const files = { 'tidemark.config.ts': one, 'tidemark.config.js': 'throw new Error("not me")' }
    expect((await load(files, ['status'])).code).toBe(3)
  })

  test('is the one that --config names, wherever it is', async () => {
    const files = { 'tidemark.config.ts': 'throw new Error("not me")', 'config/log.ts': one }
    expect((await load(files, ['status', '--config', 'config/log.ts'])).code).toBe(3)
  })

  test('gives way to --database-url', async () => {
    const args = ['status', '--database-url', 'postgres://127.0.0.1:2/other']
    const { stderr } = await load({ 'tidemark.config.ts': one }, args)
    expect(stderr).toContain('127.0.0.1:2/other')
  })

  test('may keep a timer running without holding up the command', async () => {
    const text = `setInterval(() => {}, 1000)\n${one}`
    expect((await load({ 'tidemark.config.ts': text }, ['status'])).code).toBe(3)
  })

  test('that throws later ends the command with one line', async () => {
    const text = `setTimeout(() => { throw new Error('too late') })
      await new Promise((resolve) => setTimeout(resolve, 10_000))
      ${one}`
    const { code, stderr } = await load({ 'tidemark.config.ts': text }, ['status'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      'error UNEXPECTED: too late (run it again with --verbose for the stack trace)\n',
    )
  })
})
