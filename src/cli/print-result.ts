import { toJson } from './format.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'

/** Writes what a command found out: one JSON document, or a text for people. */
export function printResult<T>(
  host: Host,
  options: GlobalOptions,
  result: T,
  toText: (result: T) => string,
): void {
  host.stdout.write(`${options.json === true ? toJson(result) : toText(result)}\n`)
}
