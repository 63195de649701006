import Table from 'cli-table3'
import type { ProcessStatus } from '../jobs/processes/count-instances.ts'
import { describeSubscription } from '../subscriptions/subscription-id.ts'
import type { LogStatus, SlotStatus, SubscriptionStatus } from '../worker/status.ts'
import { formatBytes, formatCount, oneLine } from './format.ts'

/** Writes the state of a log for people: a few lines, a table, and the reasons of failures. */
export function statusText(status: LogStatus): string {
  const { schema, position, mode, pollReason, slot, subscriptions } = status
  const reason = pollReason === null ? '' : ` (${oneLine(pollReason)})`
  return [
    `log "${schema}": position ${formatCount(position)}, mode ${mode}${reason}`,
    ...(status.isLed ? [] : ['no worker leads: run `tidemark worker`']),
    ...unsequencedText(status),
    ...outboxText(status),
    ...(mode === 'wal' ? [slotText(slot)] : []),
    subscriptions.length === 0 ? 'no subscriptions yet' : subscriptionTable(subscriptions),
    ...subscriptions.flatMap(partitionsText),
    ...subscriptions.flatMap(failureText),
    ...subscriptions.flatMap(troubleText),
    ...subscriptions.flatMap(keptText),
    ...subscriptions.flatMap(partialText),
    ...(status.isLed ? subscriptions.flatMap(unfollowedText) : []),
    ...subscriptions.flatMap(parkedText),
    ...subscriptions.flatMap(shedText),
    ...status.processes.map(processText),
    ...deadJobsText(status),
  ].join('\n')
}

function unsequencedText({ unsequenced, mode, walLevel }: LogStatus): string[] {
  const lines: string[] = []
  if (unsequenced > 0) {
    const count = unsequenced > 10_000 ? 'over 10,000' : formatCount(unsequenced)
    lines.push(`events without a position yet: ${count}; a worker gives it to them`)
  }
  if (mode === 'wal' && walLevel !== 'logical') {
    lines.push(
      `wal_level is ${walLevel}: the next worker orders events by polling, unless you run ` +
        '`alter system set wal_level = logical` and restart the server',
    )
  }
  return lines
}

function slotText(slot: SlotStatus | null): string {
  if (slot === null) return 'slot: none yet, the first worker makes it'
  const name = `slot "${slot.name}"`
  if (!slot.exists) return `${name}: does not exist, the next worker makes another`
  const activity = slot.isActive ? 'active' : 'not active, no worker leads'
  const { retainedBytes } = slot
  return retainedBytes === null
    ? `${name}: ${activity}`
    : `${name}: ${activity}, keeps ${formatBytes(retainedBytes)} of WAL`
}

function subscriptionTable(subscriptions: readonly SubscriptionStatus[]): string {
  const table = new Table({
    head: ['kind', 'name', 'version', 'stage', 'position', 'lag', 'state', 'owner'],
    colAligns: ['left', 'left', 'right', 'left', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [], compact: true },
  })
  table.push(...subscriptions.map(subscriptionRow))
  return table.toString()
}

function subscriptionRow(subscription: SubscriptionStatus): string[] {
  const { kind, name, version, projectionState, position, lag, state, owner } = subscription
  return [
    kind,
    oneLine(name),
    kind === 'projection' ? String(version) : '',
    projectionState ?? '',
    formatCount(position),
    formatCount(lag),
    state,
    oneLine(owner ?? ''),
  ]
}

function parkedText(subscription: SubscriptionStatus): string[] {
  const { parked, name } = subscription
  if (parked === 0) return []
  const isRelay = subscription.kind === 'relay'
  const what = isRelay ? 'messages' : 'events'
  const text = `${describeSubscription(subscription)} has ${formatCount(parked)} ${what} parked`
  const which = isRelay ? `--relay ${name}` : name
  return [oneLine(`${text}: \`tidemark parked list ${which}\` shows why`)]
}

function shedText(subscription: SubscriptionStatus): string[] {
  const { shed, name } = subscription
  if (shed === 0) return []
  const text = `${describeSubscription(subscription)} has shed ${formatCount(shed)} events under load`
  return [oneLine(`${text}: \`tidemark shed replay ${name}\` makes up for them`)]
}

function processText({ name, running, compensating, stuck }: ProcessStatus): string {
  const parts = [
    ...(running === 0 ? [] : [`${formatCount(running)} running`]),
    ...(compensating === 0 ? [] : [`${formatCount(compensating)} compensating`]),
    ...(stuck === 0 ? [] : [`${formatCount(stuck)} stuck`]),
  ]
  const remedy = stuck === 0 ? '' : `: \`tidemark process list ${name} --state stuck\` shows them`
  return oneLine(`process "${name}" has ${parts.join(', ')}${remedy}`)
}

function deadJobsText({ deadJobs }: LogStatus): string[] {
  if (deadJobs === null || deadJobs === 0) return []
  return [`${formatCount(deadJobs)} jobs gave up: \`tidemark parked list\` shows why`]
}

function partitionsText(subscription: SubscriptionStatus): string[] {
  const { partitions, nextPartitions } = subscription
  const name = describeSubscription(subscription)
  const change =
    nextPartitions === null
      ? []
      : [
          oneLine(
            `${name} is about to have ${nextPartitions} partitions: they come to one position`,
          ),
        ]
  if (partitions.length === 0) return change
  const slowest = partitions.reduce((a, b) => (b.position < a.position ? b : a))
  const owned = partitions.filter(({ owner }) => owner !== null).length
  const text =
    `${name} has ${partitions.length} partitions, of which ${owned} are followed; the slowest is ` +
    `${slowest.partition}, ${formatCount(slowest.lag)} behind`
  return [oneLine(text), ...change]
}

/** A relay goes on by itself once its broker is back. */
function troubleText(subscription: SubscriptionStatus): string[] {
  const { state, error, troubledSince } = subscription
  if (troubledSince === null || state === 'failed') return []
  const name = describeSubscription(subscription)
  const since = troubledSince.toISOString()
  return [oneLine(`${name} has tried in vain since ${since}: ${error ?? 'no reason is known'}`)]
}

/** A relay that goes on by itself lets them go sooner or later. */
function keptText(subscription: SubscriptionStatus): string[] {
  const { kind, name, state, owner, lag } = subscription
  if (kind !== 'relay' || lag === 0n || (state === 'active' && owner !== null)) return []
  const command = `tidemark drop ${name} --kind relay`
  return [
    oneLine(
      `${describeSubscription(subscription)} is run by no worker, and the outbox keeps ${formatCount(lag)} ` +
        `messages for it: run it, or let them go with \`${command}\``,
    ),
  ]
}

function outboxText({ outbox }: LogStatus): string[] {
  const { position, kept, unsequenced } = outbox
  if (position === 0n && unsequenced === 0) return []
  const waiting =
    unsequenced === 0
      ? ''
      : `, ${unsequenced > 10_000 ? 'over 10,000' : formatCount(unsequenced)} without a position yet`
  return [`outbox: position ${formatCount(position)}, ${formatCount(kept)} messages kept${waiting}`]
}

function failureText(subscription: SubscriptionStatus): string[] {
  const { state, error } = subscription
  if (state !== 'failed') return []
  const name = describeSubscription(subscription)
  const reason = error ?? 'no reason is known'
  return [oneLine(reason.startsWith(name) ? reason : `${name} failed: ${reason}`)]
}

/** Workers run, but none of them applies it. A version that is inline needs none. */
function unfollowedText(subscription: SubscriptionStatus): string[] {
  const { name, version, state, owner, projectionState } = subscription
  if (projectionState === null || projectionState === 'retired') return []
  if (state !== 'active' || owner !== null) return []
  const subject = describeSubscription(subscription)
  if (projectionState !== 'building') {
    return [oneLine(`${subject} is not followed: no running worker has its definition`)]
  }
  const command = `tidemark rebuild ${name} --version ${version}`
  return [oneLine(`${subject} is built no further now: \`${command}\` goes on`)]
}

/** So that nobody thinks it complete. */
function partialText(subscription: SubscriptionStatus): string[] {
  const { startPosition } = subscription
  if (startPosition === 0n) return []
  const name = describeSubscription(subscription)
  return [oneLine(`${name} holds only events after position ${formatCount(startPosition)}`)]
}
