import Table from 'cli-table3'
import { Command } from 'commander'
import type { AnyProjection } from '../../projections/projection.ts'
import type { LogMoment } from '../../subscriptions/log-moment.ts'
import type { ReadSqlResult } from '../../worker/query-store.ts'
import { chooseProjection } from '../choose-projection.ts'
import { formatCount, oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { logMoment, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { requireDefinitions, withStore } from '../target.ts'

interface QueryCommandOptions extends GlobalOptions {
  readonly asOf?: LogMoment
  readonly version?: number
  readonly defined?: boolean
  readonly limit: number
}

/** `tidemark query`: runs SQL over projections, now or as they stood at a moment in the past. */
export function queryCommand(host: Host): Command {
  return new Command('query')
    .description('run a query in SQL over projections, also as they stood in the past')
    .argument('<sql>', 'one query, which may name their tables without a schema')
    .argument('<projections...>', 'names of projections in the config file')
    .option(
      '--as-of <position|time>',
      'build them as of a position, a time like 2026-11-21T10:00:00Z, or a day (midnight UTC)',
      logMoment,
    )
    .option('--defined', 'read the version that is defined (default: the live one)')
    .option('--version <n>', 'version of the definition (default: the newest)', positiveInteger)
    .option('--limit <n>', 'rows to show', positiveInteger, 1_000)
    .action(async (sql: string, wanted: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<QueryCommandOptions>()
      const target = await requireDefinitions(options, host)
      const known = target.config.projections ?? []
      const queried: Record<string, AnyProjection> = Object.fromEntries(
        wanted.map((name) => [name, chooseProjection(known, name, options.version)]),
      )
      const signal = host.stopSignals.listen(() => {})
      const result = await withStore(target, (store) =>
        store.readSql(queried, sql, {
          maxRows: options.limit,
          from: options.defined === true ? 'defined' : 'live',
          signal,
          ...(options.asOf === undefined ? {} : { at: options.asOf }),
        }),
      )
      printResult(host, options, result, resultText)
    })
}

function resultText({ columns, rows, hasMore, position }: ReadSqlResult): string {
  const table = new Table({ head: [...columns], style: { head: [], border: [] } })
  for (const row of rows) table.push(columns.map((column) => cell(row[column] ?? null)))
  const count = `${formatCount(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}`
  const when = position === null ? '' : ` as of position ${formatCount(position)}`
  return `${table.toString()}\n${hasMore ? `the first ${count}; --limit shows more` : count}${when}`
}

function cell(value: string | null): string {
  return value === null ? '' : oneLine(value)
}
