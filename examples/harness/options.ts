import { randomInt } from 'node:crypto'
import { Command, InvalidArgumentError, Option } from 'commander'

export interface ExampleOptions<Control extends string = string> {
  readonly seed: number
  /** How long the traffic lasts. Start, waiting for the end and checks come on top. */
  readonly seconds: number
  readonly clients: number
  readonly workers: number
  /** A server to use in place of an embedded one. */
  readonly databaseUrl?: string
  /** What to break, so that the checks have something to find. */
  readonly break?: Control
}

export interface ExampleDefinition<Control extends string> {
  readonly name: string
  readonly description: string
  /** Clients at once, unless `--clients` says otherwise. */
  readonly clients: number
  /** What `--break` can break. */
  readonly controls: readonly Control[]
}

/** Parses an example's arguments; prints usage and exits on wrong ones. */
export function parseOptions<Control extends string>(
  { name, description, clients, controls }: ExampleDefinition<Control>,
  argv: readonly string[],
): ExampleOptions<Control> {
  const url = new Option(
    '--database-url <url>',
    'Postgres server to use instead of an embedded one',
  )
  const broken = new Option(
    '--break <control>',
    'break this on purpose: the checks have to find it',
  )
  return new Command(name)
    .description(description)
    .option('--seed <n>', 'makes the same choices again', whole, randomInt(1_000_000))
    .option('--seconds <n>', 'how long the traffic lasts', whole, 6)
    .option('--clients <n>', 'clients at once', whole, clients)
    .option('--workers <n>', 'worker processes', whole, 3)
    .addOption(url.env('DATABASE_URL'))
    .addOption(broken.choices(controls))
    .parse(argv)
    .opts<ExampleOptions<Control>>()
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('it is a whole number from 1.')
}
