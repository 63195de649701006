import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/run.ts'
import { fakeHost } from './fake-host.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-cli-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function runHere(argv: readonly string[], env: Record<string, string> = {}) {
  const { host, stdout, stderr } = fakeHost(directory, env)
  const code = await run(argv, host)
  return { code, stdout: stdout(), stderr: stderr() }
}

describe('help', () => {
  test('lists the commands and the exit codes', async () => {
    const { code, stdout, stderr } = await runHere(['--help'])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    for (const name of ['init', 'migrate', 'worker', 'status', 'rebuild', 'promote', 'rollback']) {
      expect(stdout).toContain(`\n  ${name} `)
    }
    expect(stdout).toContain('130  stopped by SIGINT')
  })

  test('of a command lists the global options too', async () => {
    const { code, stdout } = await runHere(['promote', '--help'])
    expect(code).toBe(0)
    for (const option of ['--max-lag', '--lock-timeout', '--database-url', '--json']) {
      expect(stdout).toContain(option)
    }
  })

  test('prints the version of the package', async () => {
    const manifest = await readFile(join(import.meta.dirname, '../../package.json'), 'utf8')
    const { code, stdout } = await runHere(['--version'])
    expect(code).toBe(0)
    expect(stdout).toBe(`${JSON.parse(manifest).version}\n`)
  })
})

describe('wrong usage', () => {
  test.for<[string[], string]>([
    [['statu'], "unknown command 'statu' (Did you mean status?)"],
    [['status', '--jsn'], "unknown option '--jsn' (Did you mean --json?)"],
    [['status', 'orders'], "too many arguments for 'status'"],
    [['promote'], "missing required argument 'projection'"],
    [['drop', 'orders'], "required option '--version <n>' not specified"],
    [['promote', 'orders', '--version', '0'], 'it must be a whole number from 1 to 2147483647.'],
    [['promote', 'orders', '--version', '2147483648'], 'it must be a whole number from 1'],
    [['promote', 'orders', '--version', '1.5'], 'it must be a whole number from 1'],
    [['promote', 'orders', '--lock-timeout', '0'], 'it must be a whole number from 1'],
    [['promote', 'orders', '--max-lag', '-1'], 'it must be a whole number from 0.'],
    [['worker', '--log-level', 'loud'], 'Allowed choices are debug, info, warn, error, silent.'],
  ])('%j exits with 2 and one line', async ([argv, message]) => {
    const { code, stdout, stderr } = await runHere(argv)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^error USAGE_INVALID: .* \(see tidemark --help\)\n$/)
    expect(stderr).toContain(message)
  })

  test('without a command shows the help and exits with 2', async () => {
    const { code, stdout, stderr } = await runHere([])
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('Usage: tidemark')
    expect(stderr).toMatch(/error USAGE_INVALID: a command is missing \(see tidemark --help\)\n$/)
  })

  test.for([[['--json']], [['--json', 'nope']], [['drop', '--json']]] as const)(
    '%j is one JSON document on stderr',
    async ([argv]) => {
      const { code, stdout, stderr } = await runHere(argv)
      expect(code).toBe(2)
      expect(stdout).toBe('')
      expect(JSON.parse(stderr)).toEqual({
        error: { code: 'USAGE_INVALID', message: expect.any(String), details: {} },
      })
    },
  )
})

describe('without a config file', () => {
  test.for([[['rebuild', 'orders']], [['worker']]] as const)(
    '%j says how to get one',
    async ([argv]) => {
      const { code, stderr } = await runHere(argv, { DATABASE_URL: 'postgres://127.0.0.1/db' })
      expect(code).toBe(2)
      expect(stderr).toBe(
        'error CONFIG_NOT_FOUND: there is no tidemark.config.ts, tidemark.config.mts, ' +
          'tidemark.config.js, tidemark.config.mjs in this directory: run `tidemark init` to write one, or name it ' +
          'with --config\n',
      )
    },
  )

  test.for([
    [['migrate']],
    [['status']],
    [['promote', 'orders']],
    [['rollback', 'orders']],
    [['drop', 'orders', '--version', '1']],
  ] as const)('%j asks for a database', async ([argv]) => {
    const { code, stderr } = await runHere(argv)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error CONFIG_NOT_FOUND: no database is named: pass --database-url/)
  })

  test('says that the one which is named does not exist', async () => {
    const { code, stderr } = await runHere(['status', '--config', 'log.ts', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'CONFIG_NOT_FOUND',
        message: 'there is no config file "log.ts"',
        details: { path: 'log.ts' },
      },
    })
  })

  test.for([
    [['status', '--database-url', 'nonsense'], {}],
    [['--database-url', 'nonsense', 'status'], { DATABASE_URL: 'postgres://127.0.0.1:1/db' }],
    [['status'], { DATABASE_URL: 'mysql://root:secret@localhost/db' }],
  ] as const)('%j refuses what is no Postgres URL', async ([argv, env]) => {
    const { code, stderr } = await runHere(argv, env)
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^error OPTION_INVALID: the connection string is not a Postgres URL: .*\n$/,
    )
    expect(stderr).not.toContain('secret')
  })

  test('refuses a schema that is no identifier', async () => {
    const argv = ['status', '--schema', 'Bad Name', '--database-url', 'postgres://127.0.0.1:1/db']
    const { code, stderr } = await runHere(argv)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error OPTION_INVALID: schema "Bad Name" is not usable/)
  })
})

describe('init', () => {
  test('writes a config file', async () => {
    const { code, stdout } = await runHere(['init'])
    expect(code).toBe(0)
    expect(stdout).toBe('wrote tidemark.config.ts: next, run `tidemark migrate`\n')
    const text = await readFile(join(directory, 'tidemark.config.ts'), 'utf8')
    expect(text).toContain("from 'tidemark'")
  })

  test.for(['tidemark.config.ts', 'tidemark.config.js', 'tidemark.config.mjs'])(
    'leaves %s alone',
    async (existing) => {
      await writeFile(join(directory, existing), 'mine')
      const { code, stdout, stderr } = await runHere(['init'])
      expect(code).toBe(2)
      expect(stdout).toBe('')
      expect(stderr).toBe(
        `error CONFIG_INVALID: config file "${existing}": it exists already; nothing was written\n`,
      )
      expect(await readdir(directory)).toEqual([existing])
      expect(await readFile(join(directory, existing), 'utf8')).toBe('mine')
    },
  )

  test('writes to another name, and says so in JSON', async () => {
    const { code, stdout } = await runHere(['init', '--config', 'log.config.ts', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ path: 'log.config.ts' })
    expect(await readdir(directory)).toEqual(['log.config.ts'])
  })

  test('suggests --verbose when something unexpected stops it', async () => {
    const argv = ['init', '--config', 'nowhere/tidemark.config.ts']
    const { code, stderr } = await runHere(argv)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error UNEXPECTED: ENOENT: .* \(run it again with --verbose for the stack trace\)\n$/,
    )
    const verbose = await runHere([...argv, '--verbose'])
    expect(verbose.stderr).toMatch(/^error UNEXPECTED: ENOENT: .*\nError: ENOENT: .*/)
    const json = await runHere([...argv, '--verbose', '--json'])
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { code: 'UNEXPECTED', stack: [expect.stringMatching(/^Error: ENOENT/)] },
    })
  })
})
