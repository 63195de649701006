import { Command, Option } from 'commander'
import { optionInvalid } from '../../core/option-invalid.ts'
import type { Store } from '../../worker/create-store.ts'
import { type CaptureRun, capturesText, captureText } from '../capture-text.ts'
import { oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface CaptureCommandOptions extends GlobalOptions {
  readonly as?: string
  readonly columns?: readonly string[]
  readonly except?: readonly string[]
  readonly key?: readonly string[]
  readonly schemaVersion?: number
  readonly lockTimeout?: number
  readonly snapshot?: boolean
  readonly batchSize?: number
  readonly list?: boolean
  readonly remove?: boolean
}

/** `tidemark capture`: has changes of a table append events. */
export function captureCommand(host: Host): Command {
  return new Command('capture')
    .description('have the changes of an existing table append events, by triggers')
    .argument('[table]', 'the table, as SQL writes it: public.orders')
    .option('--as <category>', 'what its streams and event types begin with: order')
    .option('--columns <names>', 'record these columns and the key only, parted by commas', names)
    .option('--except <names>', 'leave these columns out', names)
    .option('--key <names>', 'columns of a unique index (default: the primary key)', names)
    .option('--schema-version <n>', 'schema version of the events (default: 1)', positiveInteger)
    .option(
      '--lock-timeout <ms>',
      'how long to wait for transactions that write the table (default: 2000)',
      positiveInteger,
    )
    .option('--snapshot', 'append an event for each row that the log does not have as it is')
    .option('--batch-size <n>', 'rows of the snapshot at once (default: 500)', positiveInteger)
    .addOption(new Option('--list', 'list the captures').conflicts(['as', 'snapshot', 'remove']))
    .addOption(
      new Option('--remove', 'take the capture away; events stay').conflicts(['as', 'snapshot']),
    )
    .action(async (table: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CaptureCommandOptions>()
      const target = await resolveTarget(options, host)
      await withStore(target, (store) => carryOut(host, store, table, options))
    })
}

async function carryOut(
  host: Host,
  store: Store,
  table: string | undefined,
  options: CaptureCommandOptions,
): Promise<void> {
  if (options.list === true) {
    printResult(host, options, await store.captures.list(), capturesText)
    return
  }
  if (table === undefined) throw optionInvalid('table', 'name one, or --list')
  if (options.remove === true) {
    const removed = await store.captures.remove(table, limits(options))
    printResult(host, options, removed, (one) =>
      oneLine(`${one.table} is not captured any more; events of "${one.category}" stay`),
    )
    return
  }
  printResult(host, options, await captureTable(host, store, table, options), captureText)
}

async function captureTable(
  host: Host,
  store: Store,
  table: string,
  options: CaptureCommandOptions,
): Promise<CaptureRun> {
  const { as, columns, except, key, schemaVersion, batchSize } = options
  if (as === undefined && options.snapshot !== true) {
    throw optionInvalid('--as', 'say what the table is captured as, or --snapshot')
  }
  const choices = { columns, except, key, schemaVersion }
  const installed =
    as === undefined
      ? null
      : await store.captures.install(table, { as, ...limits(options), ...given(choices) })
  const signal = host.stopSignals.listen(() => {})
  const snapshot =
    options.snapshot === true
      ? await store.captures.snapshot(table, { signal, ...given({ batchSize }) })
      : null
  return { installed, snapshot }
}

function limits({ lockTimeout }: CaptureCommandOptions) {
  return lockTimeout === undefined ? {} : { lockTimeoutMs: lockTimeout }
}

/** Leaves out what was not given. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

function names(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
