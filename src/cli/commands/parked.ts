import { Command } from 'commander'
import type { AnyProcess } from '../../core/processes/process-manager.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { DeadJob, DeadJobFilter } from '../../jobs/dead-jobs.ts'
import type { Reactor } from '../../jobs/reactor.ts'
import type { AnyProjection } from '../../projections/projection.ts'
import type { RetryResult } from '../../subscriptions/parking/retry-parked.ts'
import { describeSubscription, type SubscriptionId } from '../../subscriptions/subscription-id.ts'
import type { Store } from '../../worker/create-store.ts'
import { chooseProjection } from '../choose-projection.ts'
import type { TidemarkConfig } from '../config.ts'
import { deadJobText, parkedText } from '../dead-jobs-text.ts'
import { formatCount, oneLine } from '../format.ts'
import type { Host } from '../host.ts'
import { nameRelay } from '../name-relay.ts'
import { logPosition } from '../option-values.ts'
import { parkedMessagesText } from '../parked-messages-text.ts'
import {
  isOfEvents,
  isOfMessages,
  nameMissing,
  type ParkedOptions,
  toFilter,
  toMessageFilter,
  withFilter,
} from '../parked-options.ts'
import { parkedEventsText, retryText } from '../parked-text.ts'
import { printResult } from '../print-result.ts'
import { requireNamed } from '../require-named.ts'
import { requireDefinitions, resolveTarget, withStore } from '../target.ts'
import { discardCommand } from './parked-discard.ts'

interface RetryCommandOptions extends ParkedOptions {
  readonly position?: bigint
}

/** `tidemark parked`: shows, retries and discards events and messages that were refused, and jobs that gave up. */
export function parkedCommand(host: Host): Command {
  return new Command('parked')
    .description(
      'events that could not be applied and messages that a broker refused, with those of the same key behind ' +
        'them; dead jobs',
    )
    .enablePositionalOptions()
    .addCommand(listCommand(host))
    .addCommand(showCommand(host))
    .addCommand(retryCommand(host))
    .addCommand(discardCommand(host))
}

function listCommand(host: Host): Command {
  return withFilter(new Command('list'))
    .description(
      'list the keys that are parked, each with its first event or message, and the jobs that gave up',
    )
    .argument('[name]', 'name of a projection, reactor, relay or task (default: all)')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ParkedOptions>()
      const target = await resolveTarget(options, host)
      const found = await withStore(target, async (store) => {
        if (name !== undefined) await requireNamed(store, name, options, target.config)
        return findParked(store, name, options)
      })
      const all = [...found.keys, ...found.messages, ...found.jobs]
      printResult(host, options, all, () => parkedText(found))
    })
}

function showCommand(host: Host): Command {
  return withFilter(new Command('show'))
    .description(
      'show parked events or messages in the order in which they will be applied, or a job that gave up',
    )
    .argument(
      '[name]',
      'name of a projection, reactor, relay or task; needless with --relay or --job',
    )
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ParkedOptions>()
      const { job, relay } = options
      if (name === undefined && job === undefined && relay === undefined) throw nameMissing()
      const target = await resolveTarget(options, host)
      const { events, messages, jobs } = await withStore(target, async (store) => {
        if (name !== undefined) await requireNamed(store, name, options, target.config)
        return {
          events: isOfEvents(options) ? await store.parked.events(toFilter(name, options)) : [],
          messages: isOfMessages(options)
            ? await store.parked.messages(toMessageFilter(name, options))
            : [],
          jobs: await findJobs(store, name, options),
        }
      })
      const isEmpty = messages.length === 0 && jobs.length === 0
      printResult(host, options, [...events, ...messages, ...jobs], () =>
        [
          events.length > 0 || isEmpty ? parkedEventsText(events) : '',
          parkedMessagesText(messages),
          jobs.map(deadJobText).join('\n\n'),
        ]
          .filter((part) => part !== '')
          .join('\n'),
      )
    })
}

function retryCommand(host: Host): Command {
  return withFilter(new Command('retry'))
    .description(
      'apply parked events in order, publish messages or run jobs again, after the cause was mended',
    )
    .argument('[name]', 'name of a projection, reactor, relay or task in the config file')
    .option(
      '--position <n>',
      'one message of a relay, with those of its key before it (default: all)',
      logPosition,
    )
    .addHelpText(
      'after',
      '\nExits with 0 when all were applied, with 5 when some failed again. Messages and jobs are only handed to a ' +
        'worker: ask `parked list` what came of them.',
    )
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RetryCommandOptions>()
      const relay = await retryMessages(host, name, options)
      if (relay) return
      const target = await requireDefinitions(options, host)
      const jobs = jobFilter(target.config, name, options)
      if (jobs !== undefined) {
        const retried = await withStore(target, (store) => store.parked.retryJobs(jobs))
        printResult(
          host,
          options,
          { retried },
          () => `${formatCount(retried.length)} jobs run again`,
        )
        return
      }
      const definition = chooseDefinition(target.config, name, options.version)
      const { lane, key } = options
      const retry = {
        signal: host.stopSignals.listen(() => {}),
        ...(lane === undefined ? {} : { lane }),
        ...(key === undefined ? {} : { key }),
      }
      const result = await withStore(target, (store) => store.parked.retry(definition, retry))
      printResult(host, options, result, retryText)
      refuseFailures(toId(definition), result)
    })
}

/** @returns false when it is not messages that are meant. */
async function retryMessages(
  host: Host,
  name: string | undefined,
  options: RetryCommandOptions,
): Promise<boolean> {
  if (name === undefined && options.relay === undefined) return false
  const target = await resolveTarget(options, host)
  const { key, position } = options
  const asked = await withStore(target, async (store) => {
    const relay = await nameRelay(store, name, options, target.config)
    if (relay === undefined) return undefined
    const retried = await store.parked.retryMessages(relay, {
      ...(key === undefined ? {} : { key }),
      ...(position === undefined ? {} : { position }),
    })
    return { relay, retried }
  })
  if (asked === undefined) return false
  printResult(host, options, asked, ({ relay, retried }) =>
    oneLine(
      `${formatCount(retried.length)} messages are tried once more by the worker that runs relay "${relay}"`,
    ),
  )
  return true
}

async function findParked(store: Store, name: string | undefined, options: ParkedOptions) {
  return {
    keys: isOfEvents(options) ? await store.parked.list(toFilter(name, options)) : [],
    messages: isOfMessages(options)
      ? await store.parked.messageKeys(toMessageFilter(name, options))
      : [],
    jobs: await findJobs(store, name, options),
  }
}

/** Of a job there is no lane, key or version to ask for. */
async function findJobs(
  store: Store,
  name: string | undefined,
  { job, relay, lane, key, version }: ParkedOptions,
): Promise<readonly DeadJob[]> {
  if ([relay, lane, key, version].some((one) => one !== undefined)) return []
  return store.parked.jobs({
    ...(job === undefined ? {} : { id: job }),
    ...(name === undefined ? {} : { task: name }),
  })
}

/** Which dead jobs are meant; undefined when it is parked events. */
function jobFilter(
  { projections = [], reactors = [], processes = [], tasks = [] }: TidemarkConfig,
  name: string | undefined,
  { job }: ParkedOptions,
): DeadJobFilter | undefined {
  if (job !== undefined) return { id: job }
  if (name === undefined) throw nameMissing()
  const isOther = [...projections, ...reactors, ...processes].some((one) => one.name === name)
  return !isOther && tasks.some(({ task }) => task === name) ? { task: name } : undefined
}

function chooseDefinition(
  { projections = [], reactors = [], processes = [] }: TidemarkConfig,
  name: string | undefined,
  version: number | undefined,
): AnyProjection | Reactor | AnyProcess {
  if (name === undefined) throw nameMissing()
  const other = [...reactors, ...processes].find((one) => one.name === name)
  const isProjection = projections.some((one) => one.name === name)
  if (other !== undefined && !isProjection) return other
  return chooseProjection(projections, name, version)
}

function toId(definition: AnyProjection | Reactor | AnyProcess): SubscriptionId {
  const { name } = definition
  if ('starts' in definition) return { kind: 'process', name, version: 1 }
  return 'on' in definition
    ? { kind: 'reactor', name, version: 1 }
    : { kind: 'projection', name, version: definition.version }
}

/** The exit code says it, too. */
function refuseFailures(id: SubscriptionId, { failed }: RetryResult): void {
  const [first] = failed
  if (first === undefined) return
  const subscription = describeSubscription(id)
  const { position, type, streamId, error } = first
  throw new TidemarkError(
    'HANDLER_FAILED',
    `${failed.length} keys of ${subscription} failed again, the first at position ${position}: ` +
      error.message,
    { details: { subscription, position, type, streamId, reason: error.message } },
  )
}
