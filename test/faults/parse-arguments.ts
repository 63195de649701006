import { parseArgs } from 'node:util'

/** What the suite is asked to do. */
export interface FaultArguments {
  readonly seed: number
  readonly minutes: number
  readonly workers: number
  /** Names of the negative controls to run, in the place of the product as it is. */
  readonly controls: readonly string[]
  /** Without what each control is named after: all that remains has to hold. */
  readonly spared: boolean
}

const defaults = { minutes: 2, workers: 3 }

/**
 * Parses `--seed N --minutes M --workers W --control NAME --controls --spared`.
 *
 * @param controls names of all controls there are.
 * @param freshSeed the seed when none is given.
 * @throws RangeError that says what is wrong with the arguments.
 */
export function parseArguments(
  args: readonly string[],
  controls: readonly string[],
  freshSeed: number,
): FaultArguments {
  const given = parse(args)
  const control = given.control ?? []
  if (given.spared === true && control.length === 0 && given.controls !== true) {
    throw new RangeError('--spared says how controls are to be run: --controls --spared')
  }
  const unknown = control.filter((name) => !controls.includes(name))
  if (unknown.length > 0) {
    const known = controls.join(', ')
    throw new RangeError(`no control is named "${unknown.join('", "')}"; there are: ${known}`)
  }
  return {
    seed: numberOf('seed', given.seed, freshSeed, { whole: true, from: 0, to: 2 ** 31 - 1 }),
    minutes: numberOf('minutes', given.minutes, defaults.minutes, { from: 0.05, to: 10_000 }),
    workers: numberOf('workers', given.workers, defaults.workers, { whole: true, from: 1, to: 20 }),
    controls: given.controls === true ? controls : control,
    spared: given.spared === true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        workers: { type: 'string' },
        control: { type: 'string', multiple: true },
        controls: { type: 'boolean' },
        spared: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new RangeError(error instanceof Error ? error.message : String(error))
  }
}

interface Range {
  readonly whole?: boolean
  readonly from: number
  readonly to: number
}

function numberOf(name: string, text: string | undefined, fallback: number, range: Range): number {
  if (text === undefined) return fallback
  const { whole = false, from, to } = range
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= from && value <= to && (!whole || Number.isInteger(value))) return value
  const kind = whole ? 'a whole number' : 'a number'
  throw new RangeError(`--${name} is ${kind} from ${from} to ${to}, not "${text}"`)
}
