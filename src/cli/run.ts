import { exitCodes } from './exit-codes.ts'
import type { Host } from './host.ts'
import { buildProgram } from './program.ts'
import { reportError } from './report-error.ts'

/**
 * Runs one command line.
 *
 * @param argv arguments without the names of the program.
 * @returns the exit code, see `exit-codes.ts`. Errors are reported, never thrown.
 */
export async function run(argv: readonly string[], host: Host): Promise<number> {
  try {
    await buildProgram(argv, host).parseAsync([...argv], { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    return reportError(error, argv, host)
  }
}
