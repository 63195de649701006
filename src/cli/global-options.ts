import { type Command, Option } from 'commander'

/** Options that every command knows. */
export interface GlobalOptions {
  readonly config?: string
  readonly databaseUrl?: string
  readonly schema?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

/** Adds the options that every command knows. They are accepted before and after its name. */
export function withGlobalOptions(command: Command): Command {
  for (const option of globalOptions()) command.addOption(option)
  return command
}

function globalOptions(): Option[] {
  return [
    new Option('--config <path>', 'config file (default: tidemark.config.ts, .mts, .js or .mjs)'),
    new Option(
      '--database-url <url>',
      'database, instead of what the config file says (default: DATABASE_URL)',
    ),
    new Option('--schema <name>', 'schema of the log (default: tidemark)'),
    new Option('--json', 'one JSON document on stdout; errors as JSON on stderr'),
    new Option('--verbose', 'stack traces and causes of errors'),
  ]
}
