import { Command } from 'commander'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { jobUnknown } from '../../jobs/dead-jobs.ts'
import { describeSubscription, type SubscriptionId } from '../../subscriptions/subscription-id.ts'
import type { Store } from '../../worker/create-store.ts'
import type { TidemarkConfig } from '../config.ts'
import { createLogger } from '../create-logger.ts'
import { deadJobText } from '../dead-jobs-text.ts'
import { formatCount, oneLine } from '../format.ts'
import type { Host } from '../host.ts'
import { nameRelay } from '../name-relay.ts'
import { logPosition } from '../option-values.ts'
import { parkedMessagesText } from '../parked-messages-text.ts'
import { nameMissing, type ParkedOptions, withFilter } from '../parked-options.ts'
import { parkedEventsText } from '../parked-text.ts'
import { printResult } from '../print-result.ts'
import { requireNamed } from '../require-named.ts'
import { resolveTarget, withStore } from '../target.ts'

interface DiscardOptions extends ParkedOptions {
  readonly position?: bigint
  readonly yes?: boolean
}

/** `tidemark parked discard`: gives up parked events or messages, or a job that gave up. */
export function discardCommand(host: Host): Command {
  return withFilter(new Command('discard'))
    .description(
      'give up parked events, messages or dead jobs: they will never be applied, published or run',
    )
    .argument('[name]', 'name of the projection, reactor or relay; needless with --relay or --job')
    .option('--position <n>', 'one event of the key (default: all); one message', logPosition)
    .option('--yes', 'do it: without, only show what would be given up')
    .addHelpText('after', '\nWithout --yes it changes nothing, and exits with 0.')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DiscardOptions>()
      const target = await resolveTarget(options, host)
      const logger = createLogger('warn', options.verbose === true)
      const { job } = options
      const discard = async (store: Store) => {
        if (job !== undefined) return discardJob(host, store, job, options)
        const relay = await nameRelay(store, name, options, target.config)
        return relay === undefined
          ? discardEvents(host, store, name, options, target.config)
          : discardMessages(host, store, relay, options)
      }
      await withStore(target, discard, logger)
    })
}

async function discardJob(
  host: Host,
  store: Store,
  id: string,
  options: DiscardOptions,
): Promise<void> {
  if (options.yes !== true) {
    const jobs = await store.parked.jobs({ id })
    if (jobs.length === 0) throw jobUnknown(id)
    const shown = jobs.map(deadJobText).join('\n\n')
    printResult(host, options, jobs, () => withoutYes(shown, 'this job will never run'))
    return
  }
  const discarded = await store.parked.discardJobs({ id })
  printResult(host, options, { discarded }, () => `job ${id} is given up`)
}

async function discardMessages(
  host: Host,
  store: Store,
  relay: string,
  options: DiscardOptions,
): Promise<void> {
  const { key, position } = options
  if (key === undefined && position === undefined) throw messageMissing()
  const target = {
    ...(key === undefined ? {} : { key }),
    ...(position === undefined ? {} : { position }),
  }
  if (options.yes !== true) {
    const meant = await store.parked.messages({ relay, ...target })
    if (meant.length === 0) throw nothingParked(relay)
    const what = `${formatCount(meant.length)} messages will never be published`
    printResult(host, options, meant, () => withoutYes(parkedMessagesText(meant), what))
    return
  }
  const discarded = await store.parked.discardMessages(relay, target)
  printResult(host, options, { relay, discarded }, () =>
    oneLine(`${formatCount(discarded.length)} messages of relay "${relay}" are given up`),
  )
}

async function discardEvents(
  host: Host,
  store: Store,
  name: string | undefined,
  options: DiscardOptions,
  config: TidemarkConfig,
): Promise<void> {
  const { lane, key, position } = options
  if (name === undefined || lane === undefined || key === undefined) throw nameMissing()
  await requireNamed(store, name, options, config)
  const target = { lane, key, ...(position === undefined ? {} : { position }) }
  const { kind, version } = await findSubscription(store, name, { ...options, lane, key })
  if (options.yes !== true) {
    const all = await store.parked.events({ kind, name, version, lane, key })
    const meant = all.filter((event) => position === undefined || event.position === position)
    if (meant.length === 0) throw nothingParked(name)
    const what = `${formatCount(meant.length)} events will never be applied`
    printResult(host, options, meant, () => withoutYes(parkedEventsText(meant), what))
    return
  }
  const definition = kind === 'reactor' || kind === 'process' ? { kind, name } : { name, version }
  const result = await store.parked.discard(definition, target)
  printResult(host, options, { [kind]: name, version, lane, key, ...result }, () =>
    oneLine(`${formatCount(result.discarded.length)} events of key "${key}" are given up`),
  )
}

function withoutYes(shown: string, what: string): string {
  return `${shown}\nnothing was changed: with --yes ${what}`
}

/** @throws OPTION_INVALID when several subscriptions have events of the key parked. */
async function findSubscription(
  store: Store,
  name: string,
  {
    version,
    lane,
    key,
  }: { readonly version?: number; readonly lane: string; readonly key: string },
): Promise<SubscriptionId> {
  const wanted = { name, lane, key, ...(version === undefined ? {} : { version }) }
  const [first, second] = await store.parked.list(wanted)
  if (first === undefined) throw nothingParked(name)
  if (second === undefined) return first
  const reason = `${describeSubscription(first)} and ${describeSubscription(second)} have it parked`
  throw new TidemarkError('OPTION_INVALID', `name one with --version: ${reason}`, {
    details: { option: '--version', reason },
  })
}

function messageMissing(): TidemarkError {
  const reason = 'say which messages, with --key or --position'
  return new TidemarkError('OPTION_INVALID', reason, { details: { option: '--key', reason } })
}

function nothingParked(name: string): TidemarkError {
  return new TidemarkError(
    'PARKED_EVENT_UNKNOWN',
    `"${name}" has no such event or message parked: \`tidemark parked list\` shows what is`,
    { details: { subscription: name } },
  )
}
