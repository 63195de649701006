/** More would make a row of the queue large. */
const maxLength = 8_000

/** Says an error with its stack and its causes, for people who look at a job that failed. */
export function describeFailure(error: unknown): string {
  const lines: string[] = []
  const seen = new Set<unknown>()
  for (let one = error; one !== undefined && !seen.has(one); ) {
    seen.add(one)
    lines.push(seen.size === 1 ? describe(one) : `caused by: ${describe(one)}`)
    one = one instanceof Error ? one.cause : undefined
  }
  // The server's text has no place for these.
  return lines.join('\n').replaceAll('\0', '').toWellFormed().slice(0, maxLength)
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `${typeof error === 'string' ? error : String(error)}`
  const { name, message, stack = '' } = error
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return [message === '' ? name : `${name}: ${message}`, ...frames].join('\n')
}
