import { isTidemarkError } from '../../src/index.ts'
import { holds } from './check.ts'
import { createDatabase } from './database.ts'
import { type ExampleDefinition, type ExampleOptions, parseOptions } from './options.ts'
import { type Outcome, printReport } from './report.ts'

export interface Run<Control extends string> extends ExampleOptions<Control> {
  readonly connectionString: string
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/**
 * Runs an example against a database of its own and prints what came of it. Leaves nothing behind, also
 * when it is interrupted.
 *
 * @returns the exit code: 0 every invariant holds, 1 one is broken or something failed, 130 interrupted.
 */
export async function main<Control extends string>(
  definition: ExampleDefinition<Control>,
  run: (run: Run<Control>) => Promise<Outcome>,
): Promise<number> {
  const options = parseOptions(definition, process.argv)
  const interrupt = new AbortController()
  const onSignal = () => interrupt.abort()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal)
  const { signal } = interrupt
  const how = `--seed ${options.seed} --seconds ${options.seconds}`
  console.log(`${definition.name} ${how}${options.break ? ` --break ${options.break}` : ''}`)
  try {
    await using database = await createDatabase(definition.name, options.databaseUrl)
    signal.throwIfAborted()
    const outcome = await run({ ...options, connectionString: database.connectionString, signal })
    signal.throwIfAborted()
    printReport(outcome)
    return conclude(outcome)
  } catch (error) {
    if (signal.aborted) {
      console.error('interrupted: nothing is left behind')
      return 130
    }
    console.error(`error ${isTidemarkError(error) ? `${error.code}: ` : ''}${messageOf(error)}`)
    return 1
  }
}

function conclude({ checks }: Outcome): number {
  const broken = checks.filter((check) => !holds(check)).length
  console.log(broken === 0 ? 'every invariant holds' : `${broken} of ${checks.length} do not hold`)
  return broken === 0 ? 0 : 1
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
