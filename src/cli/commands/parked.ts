import { Command } from 'commander'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { AnyProjection } from '../../projections/projection.ts'
import type { ParkedFilter } from '../../subscriptions/parking/parked-key.ts'
import type { RetryResult } from '../../subscriptions/parking/retry-parked.ts'
import { describeSubscription } from '../../subscriptions/subscription-id.ts'
import type { Store } from '../../worker/create-store.ts'
import { chooseProjection } from '../choose-projection.ts'
import { createLogger } from '../create-logger.ts'
import { formatCount, oneLine } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { logPosition, positiveInteger } from '../option-values.ts'
import { parkedEventsText, parkedKeysText, retryText } from '../parked-text.ts'
import { printResult } from '../print-result.ts'
import { requireDefinitions, resolveTarget, withStore } from '../target.ts'

interface ParkedOptions extends GlobalOptions {
  readonly version?: number
  readonly lane?: string
  readonly key?: string
}

interface DiscardOptions extends ParkedOptions {
  readonly lane: string
  readonly key: string
  readonly position?: bigint
  readonly yes?: boolean
}

/** `tidemark parked`: shows, retries and discards events that a projection could not apply. */
export function parkedCommand(host: Host): Command {
  return new Command('parked')
    .description('events that could not be applied, and those of the same key behind them')
    .enablePositionalOptions()
    .addCommand(listCommand(host))
    .addCommand(showCommand(host))
    .addCommand(retryCommand(host))
    .addCommand(discardCommand(host))
}

function listCommand(host: Host): Command {
  return withFilter(new Command('list'))
    .description('list the keys that are parked, each with its first event')
    .argument('[name]', 'name of a projection or reactor (default: all)')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ParkedOptions>()
      const target = await resolveTarget(options, host)
      const keys = await withStore(target, (store) => store.parked.list(toFilter(name, options)))
      printResult(host, options, keys, parkedKeysText)
    })
}

function showCommand(host: Host): Command {
  return withFilter(new Command('show'))
    .description('show parked events in the order in which they will be applied')
    .argument('<name>', 'name of a projection or reactor')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ParkedOptions>()
      const target = await resolveTarget(options, host)
      const filter = toFilter(name, options)
      const events = await withStore(target, (store) => store.parked.events(filter))
      printResult(host, options, events, parkedEventsText)
    })
}

function retryCommand(host: Host): Command {
  return withFilter(new Command('retry'))
    .description('apply parked events in order, after their handler was mended')
    .argument('<projection>', 'name of a projection in the config file')
    .addHelpText('after', '\nExits with 0 when all were applied, with 5 when some failed again.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ParkedOptions>()
      const target = await requireDefinitions(options, host)
      const definition = chooseProjection(target.config.projections ?? [], name, options.version)
      const { lane, key } = options
      const retry = {
        signal: host.stopSignals.listen(() => {}),
        ...(lane === undefined ? {} : { lane }),
        ...(key === undefined ? {} : { key }),
      }
      const result = await withStore(target, (store) => store.parked.retry(definition, retry))
      printResult(host, options, result, retryText)
      refuseFailures(definition, result)
    })
}

function discardCommand(host: Host): Command {
  return new Command('discard')
    .description('give up parked events: they will never be applied there')
    .argument('<projection>', 'name of the projection')
    .option('--version <n>', 'version (default: the one that has them)', positiveInteger)
    .requiredOption('--lane <lane>', 'the table of a fold, each or batch')
    .requiredOption('--key <key>', 'the key')
    .option('--position <n>', 'one event of the key (default: all)', logPosition)
    .option('--yes', 'do it: without, only show what would be given up')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DiscardOptions>()
      const target = await resolveTarget(options, host)
      const logger = createLogger('warn', options.verbose === true)
      await withStore(target, (store) => discard(host, store, name, options), logger)
    })
}

async function discard(
  host: Host,
  store: Store,
  name: string,
  options: DiscardOptions,
): Promise<void> {
  const { lane, key, position } = options
  const version = options.version ?? (await findVersion(store, name, options))
  if (options.yes !== true) {
    const all = await store.parked.events({ kind: 'projection', name, version, lane, key })
    const meant = all.filter((event) => position === undefined || event.position === position)
    printResult(host, options, meant, parkedEventsText)
    const reason = 'these events would never be applied: repeat it with --yes'
    throw new TidemarkError('OPTION_INVALID', reason, { details: { option: '--yes', reason } })
  }
  const target = { lane, key, ...(position === undefined ? {} : { position }) }
  const result = await store.parked.discard({ name, version }, target)
  printResult(host, options, { projection: name, version, lane, key, ...result }, () =>
    oneLine(`${formatCount(result.discarded.length)} events of key "${key}" are given up`),
  )
}

/** @throws OPTION_INVALID when several versions have events of the key parked. */
async function findVersion(store: Store, name: string, options: DiscardOptions): Promise<number> {
  const { lane, key } = options
  const keys = await store.parked.list({ kind: 'projection', name, lane, key })
  const [first, second] = keys
  if (first === undefined) throw nothingParked(name)
  if (second === undefined) return first.version
  const reason = `versions ${keys.map(({ version }) => version).join(', ')} have it parked`
  throw new TidemarkError('OPTION_INVALID', `name one with --version: ${reason}`, {
    details: { option: '--version', reason },
  })
}

function nothingParked(name: string): TidemarkError {
  return new TidemarkError(
    'PARKED_EVENT_UNKNOWN',
    `projection "${name}" has no such event parked: \`tidemark parked list\` shows what is`,
    { details: { subscription: `projection "${name}"` } },
  )
}

function withFilter(command: Command): Command {
  return command
    .option('--version <n>', 'version of a projection', positiveInteger)
    .option('--lane <lane>', 'only this part: the table of a fold, each or batch')
    .option('--key <key>', 'only this key')
}

function toFilter(name: string | undefined, options: ParkedOptions): ParkedFilter {
  const { version, lane, key } = options
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(lane === undefined ? {} : { lane }),
    ...(key === undefined ? {} : { key }),
  }
}

/** The exit code says it, too. */
function refuseFailures({ name, version }: AnyProjection, { failed }: RetryResult): void {
  const [first] = failed
  if (first === undefined) return
  const subscription = describeSubscription({ kind: 'projection', name, version })
  const { position, type, streamId, error } = first
  throw new TidemarkError(
    'HANDLER_FAILED',
    `${failed.length} keys of ${subscription} failed again, the first at position ${position}: ` +
      error.message,
    { details: { subscription, position, type, streamId, reason: error.message } },
  )
}
