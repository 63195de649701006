import { Command, InvalidArgumentError } from 'commander'

export interface DemoOptions {
  readonly repo: string
  readonly limit?: number
  readonly json?: string
  readonly databaseUrl?: string
  readonly schema: string
  readonly largeLines: number
}

/** Parses the demo's arguments; prints usage and exits on wrong ones. */
export function parseOptions(argv: readonly string[]): DemoOptions {
  return new Command('demo')
    .description('Imports the history of a git repository into an event log and checks the result.')
    .option('--repo <path>', 'git repository, also bare', '.')
    .option('--limit <n>', 'only the newest commits, as `git log -n` selects them', positive)
    .option('--json <file>', 'write the results as JSON')
    .option('--database-url <url>', 'Postgres server to use instead of an embedded one')
    .option('--schema <name>', 'schema of the log', 'tidemark')
    .option('--large-lines <n>', 'commits over this many lines get a job', positive, 1_000)
    .parse(argv)
    .opts<DemoOptions>()
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('it is a whole number from 1.')
  }
  return value
}
