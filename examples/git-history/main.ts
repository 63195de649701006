import { isTidemarkError } from '../../src/index.ts'
import { startEmbeddedPostgres } from '../../src/testing/embedded-postgres.ts'
import { resolveRepository } from './git-log.ts'
import { type DemoOptions, parseOptions } from './options.ts'
import { createProgress } from './progress.ts'
import { printReport, writeJson } from './report.ts'
import { runDemo } from './run-demo.ts'

const differencesShown = 20

process.exitCode = await main(parseOptions(process.argv))

/** Exit codes: 0 all agrees with git, 1 something differs or failed, 130 interrupted. */
async function main(options: DemoOptions): Promise<number> {
  const interrupt = new AbortController()
  const onSignal = () => interrupt.abort()
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    return await run(options, interrupt.signal)
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error('interrupted: nothing is lost, the same command goes on with the same database')
      return 130
    }
    console.error(`error ${isTidemarkError(error) ? `${error.code}: ` : ''}${messageOf(error)}`)
    return 1
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function run(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const repository = await resolveRepository(options.repo)
  const progress = createProgress(process.stderr)
  await using server =
    options.databaseUrl === undefined ? await startEmbeddedPostgres({ durable: true }) : undefined
  const connectionString = options.databaseUrl ?? server?.connectionString ?? ''
  const { answers, figures, differences } = await runDemo(
    connectionString,
    repository,
    options,
    progress,
    signal,
  ).finally(() => progress.stop())
  printReport(answers, figures)
  if (options.json !== undefined) await writeJson(options.json, answers, figures)
  if (differences.length === 0) {
    console.log("everything agrees with git's own figures")
    return 0
  }
  for (const difference of differences.slice(0, differencesShown))
    console.log(`differs: ${difference}`)
  console.log(`${differences.length} differences from git's own figures`)
  return 1
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
