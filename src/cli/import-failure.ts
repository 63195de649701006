import { dirname, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { oneLine } from './format.ts'

/** A line of somebody's source. */
interface Place {
  readonly file: string
  readonly line: number
}

const notModule = 'Cannot use import statement outside a module'
const asModule = 'set `"type": "module"` in package.json, or call the file tidemark.config.mts'

const libraryDirectory = `${dirname(import.meta.dirname)}${sep}`

/**
 * Says in one line why a module could not be imported, and where if the error knows it.
 *
 * @param file the module that was asked for; a place in it is named by its line only.
 */
export function explainImportFailure(error: unknown, file: string, cwd: string): string {
  const message = oneLine(error instanceof Error ? error.message : String(error)) || 'it throws'
  const reason = message.startsWith(notModule) ? `${message}: ${asModule}` : message
  const place = error instanceof Error ? placeOf(error.stack ?? '') : undefined
  if (place === undefined) return reason
  const where = place.file === file ? 'line ' : `${relative(cwd, place.file)}:`
  return `${reason} (${where}${place.line})`
}

/** A syntax error's stack begins with the place; any other's names it in the first own frame. */
function placeOf(stack: string): Place | undefined {
  const lines = stack.split('\n')
  const head = /^(\S.*):(\d+)$/.exec(lines[0] ?? '')
  if (head !== null) return toPlace(head)
  return lines
    .map((line) => toPlace(/^ +at (?:.*\()?(file:.*|\/.*|[A-Z]:\\.*):(\d+):\d+\)?$/.exec(line)))
    .find((place) => place !== undefined && isTheirs(place.file))
}

function toPlace(match: RegExpExecArray | null): Place | undefined {
  const [, file = '', line = ''] = match ?? []
  if (file === '') return undefined
  return { file: file.startsWith('file:') ? fileURLToPath(file) : file, line: Number(line) }
}

function isTheirs(file: string): boolean {
  return !file.includes(`${sep}node_modules${sep}`) && !file.startsWith(libraryDirectory)
}
