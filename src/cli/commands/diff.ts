import { Command } from 'commander'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { DiffOptions, DiffResult } from '../../projections/diff/diff-versions.ts'
import { diffText } from '../diff-text.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger, rowCount } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface DiffCommandOptions extends GlobalOptions {
  readonly from?: number
  readonly to?: number
  readonly ignore?: readonly string[]
  readonly sql?: string
  readonly samples?: number
  readonly timeout?: number
}

/** `tidemark diff`: compares two versions of a projection at one position. */
export function diffCommand(host: Host): Command {
  return new Command('diff')
    .description('compare the rows of two versions of a projection, at one position of the log')
    .argument('<projection>', 'name of the projection')
    .option('--from <n>', 'version to compare (default: the live one)', positiveInteger)
    .option('--to <n>', 'with this one (default: the newest that is ready)', positiveInteger)
    .option('--ignore <columns...>', 'columns to leave out: column or table.column')
    .option(
      '--sql <query>',
      'query that returns the differences, instead; {from} and {to} are the two schemas',
    )
    .option('--samples <n>', 'rows to show of each table (default: 5)', rowCount)
    .option(
      '--timeout <ms>',
      'how long to wait until both are at one position (default: 30000)',
      positiveInteger,
    )
    .addHelpText('after', '\nExits with 0 when all rows are the same, with 8 when some differ.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DiffCommandOptions>()
      const target = await resolveTarget(options, host)
      const signal = host.stopSignals.listen(() => {})
      const comparison = { ...toComparison(options), signal }
      const result = await withStore(target, (store) => store.diff(name, comparison))
      printResult(host, options, result, diffText)
      refuseDifferences(result)
    })
}

function toComparison(options: DiffCommandOptions): DiffOptions {
  const { from, to, ignore, sql, samples, timeout } = options
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(sql === undefined ? {} : { sql }),
    ...(samples === undefined ? {} : { samples }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
  }
}

/** The exit code says it, too. */
function refuseDifferences({ projection, from, to, isSame }: DiffResult): void {
  if (isSame) return
  throw new TidemarkError(
    'PROJECTION_DIFFERS',
    `versions ${from} and ${to} of projection "${projection}" differ`,
    { details: { projection, from, to } },
  )
}
