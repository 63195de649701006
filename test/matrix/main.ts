import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findBinariesOf, supportedVersions } from '../support/servers/chosen-postgres.ts'
import { formatResults } from './format-results.ts'
import { parseArguments } from './parse-arguments.ts'
import { toVersionResult, type VersionResult } from './version-result.ts'

/**
 * Runs the tests once on each major version of PostgreSQL, with embedded servers, and prints a
 * table. Installs the servers that are missing. Exits with 1 when a version has not passed, with 2
 * when the arguments are wrong.
 *
 *     npm run test:matrix                          # everything on every version
 *     npm run test:matrix -- 14 17                 # on two of them
 *     npm run test:matrix -- 14 -- test/db -t slot # vitest's arguments stand after a further --
 */

const root = join(import.meta.dirname, '../..')
const vitest = join(
  dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
)

// Vitest gets a terminal's Ctrl-C too, and stops its server; the versions that follow do not start.
// What is sent to us alone is passed on.
const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(name))
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let asked: ReturnType<typeof parseArguments>
  try {
    asked = parseArguments(args, supportedVersions)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    console.error(error.message)
    return 2
  }

  await installMissing(asked.versions)
  const results: VersionResult[] = []
  for (const version of asked.versions) {
    if (interrupted.signal.aborted) break
    console.log(`\n=== PostgreSQL ${version}`)
    results.push(await testOn(version, asked.vitest))
  }
  console.log(`\n${formatResults(results)}`)
  if (interrupted.signal.aborted) return 130
  return results.every(({ passed }) => passed) ? 0 : 1
}

async function installMissing(versions: readonly string[]): Promise<void> {
  const found = await Promise.allSettled(versions.map((version) => findBinariesOf(version)))
  if (found.every(({ status }) => status === 'fulfilled')) return
  const exitCode = await run('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: join(import.meta.dirname, 'servers'),
    shell: process.platform === 'win32', // npm is a script there
  })
  if (exitCode !== 0) throw new Error(`npm install ended with exit code ${exitCode}`)
}

async function testOn(version: string, args: readonly string[]): Promise<VersionResult> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-matrix-'))
  const reportFile = join(directory, 'report.json')
  const startedAt = performance.now()
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
    const exitCode = await run(process.execPath, [vitest, 'run', ...reporters, ...args], {
      cwd: root,
      // A server that is named by its URL would take the place of the one of this version.
      env: { ...process.env, TIDEMARK_TEST_POSTGRES: version, TIDEMARK_TEST_DATABASE_URL: '' },
    })
    const report = await readFile(reportFile, 'utf8').catch(() => undefined)
    const seconds = (performance.now() - startedAt) / 1_000
    return toVersionResult(version, { exitCode, seconds, ...(report !== undefined && { report }) })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs a program to its end, and gives its exit code; null when a signal ended it. */
async function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv; readonly shell?: boolean },
): Promise<number | null> {
  const child = spawn(command, args, { ...options, stdio: 'inherit' })
  const stop = () => {
    if (interrupted.signal.reason === 'SIGTERM') child.kill('SIGTERM')
  }
  interrupted.signal.addEventListener('abort', stop, { once: true })
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null]
    return exitCode
  } finally {
    interrupted.signal.removeEventListener('abort', stop)
  }
}
