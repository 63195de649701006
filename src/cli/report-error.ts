import { CommanderError } from 'commander'
import { isTidemarkError } from '../core/tidemark-error.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { oneLine, toJson } from './format.ts'
import type { Host } from './host.ts'

/** An error as the command line tells it. */
interface Report {
  readonly code: string
  readonly message: string
  readonly details: object
  /** What to do, when the message does not say it. */
  readonly hint?: string
  readonly exitCode: number
}

/** Tells whether a command line asks for JSON, even if it cannot be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  return argv.includes('--json')
}

/**
 * Tells of an error on stderr: one line `error CODE: message`, or one JSON document. Stack traces
 * and causes only with `--verbose`.
 *
 * @returns the exit code.
 */
export function reportError(error: unknown, argv: readonly string[], host: Host): number {
  const report = describeError(error, host)
  if (report.exitCode === exitCodes.ok) return report.exitCode
  const verbose = argv.includes('--verbose')
  if (wantsJson(argv)) {
    const { code, message, details } = report
    const stack = verbose ? { stack: stacksOf(error) } : {}
    host.stderr.write(`${toJson({ error: { code, message, details, ...stack } })}\n`)
    return report.exitCode
  }
  const hint = report.hint === undefined || verbose ? '' : ` (${report.hint})`
  host.stderr.write(`error ${report.code}: ${report.message}${hint}\n`)
  if (verbose) for (const stack of stacksOf(error)) host.stderr.write(`${stack}\n`)
  return report.exitCode
}

function describeError(error: unknown, host: Host): Report {
  if (error instanceof CommanderError) return describeUsage(error)
  const message = oneLine(error instanceof Error ? error.message : String(error))
  const exitCode = exitCodeOf(error, host.stopSignals.received)
  if (isTidemarkError(error)) {
    return { code: error.code, message, details: error.details, exitCode }
  }
  const hint = 'run it again with --verbose for the stack trace'
  return { code: 'UNEXPECTED', message, details: {}, hint, exitCode }
}

function describeUsage(error: CommanderError): Report {
  // What commander throws after it has printed the help or the version that was asked for.
  const exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  const isMissing = error.code === 'commander.help'
  const message = isMissing
    ? 'a command is missing'
    : oneLine(error.message.replace(/^error: /, ''))
  return {
    code: 'USAGE_INVALID',
    message,
    details: {},
    hint: 'see tidemark --help',
    exitCode,
  }
}

// More would not be read, and a chain of causes may bite its own tail.
const maxCauses = 10

function stacksOf(error: unknown): string[] {
  const stacks: string[] = []
  for (let at = error; at instanceof Error && stacks.length <= maxCauses; at = at.cause) {
    const stack = at.stack ?? String(at)
    stacks.push(at === error ? stack : `caused by: ${stack}`)
  }
  return stacks
}
