import { ask } from '../../sequencer/integrity/ask.ts'
import { describeSubscription } from '../../subscriptions/subscription-id.ts'
import { readStatus, type SubscriptionStatus } from '../status.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

/** Checks that subscriptions have not failed, are not far behind, and are delivered by somebody. */
export async function checkSubscriptions(
  { pool, names }: Examination,
  maxLag: bigint,
): Promise<DoctorFinding[]> {
  const { subscriptions } = await ask(pool, (client) => readStatus(client, names))
  const kept = subscriptions.filter(({ projectionState }) => projectionState !== 'retired')
  const found = kept.flatMap((subscription) => judge(subscription, maxLag))
  if (found.length > 0) return found
  const reason = `${kept.length} subscriptions, none failed or more than ${maxLag} events behind`
  return [fine('subscriptions', reason)]
}

function judge(subscription: SubscriptionStatus, maxLag: bigint): DoctorFinding[] {
  return [...judgeParked(subscription), ...judgeDelivery(subscription, maxLag)]
}

function judgeParked(subscription: SubscriptionStatus): DoctorFinding[] {
  const { parked, kind } = subscription
  if (parked === 0) return []
  if (kind === 'relay') {
    const reason = `${describeSubscription(subscription)} has ${parked} messages parked`
    const remedy =
      'see `tidemark parked list`, mend what the broker refuses them for, `tidemark parked retry`'
    return [warning('subscriptions', reason, remedy)]
  }
  const reason = `${describeSubscription(subscription)} has ${parked} events parked`
  const remedy = 'see `tidemark parked list`, mend its handler, `tidemark parked retry`'
  return [warning('subscriptions', reason, remedy)]
}

function judgeDelivery(subscription: SubscriptionStatus, maxLag: bigint): DoctorFinding[] {
  const { state, lag, owner } = subscription
  if (state === 'failed') return [judgeFailure(subscription)]
  if (state === 'inline') return []
  const name = describeSubscription(subscription)
  if (owner === null) {
    const behind =
      subscription.kind === 'relay'
        ? `for which the outbox keeps ${lag} messages`
        : `${lag} events behind`
    const reason = `no process delivers ${name}, ${behind}`
    return [warning('subscriptions', reason, remedyFor(subscription))]
  }
  if (lag <= maxLag) return []
  const remedy = 'wait if it is catching up (its lag falls); else make its handlers faster'
  return [warning('subscriptions', `${name} is ${lag} events behind, over ${maxLag}`, remedy)]
}

function judgeFailure(subscription: SubscriptionStatus): DoctorFinding {
  const { error, errorCode, position } = subscription
  const name = describeSubscription(subscription)
  const reason = `${name} failed at position ${position}: ${error ?? 'no reason is known'}`
  return failure('subscriptions', reason, remedyForFailure(subscription, errorCode))
}

function remedyForFailure({ kind, name }: SubscriptionStatus, errorCode: string | null): string {
  if (errorCode === 'PROJECTION_DRIFTED') {
    return 'undo the change, and it goes on; or raise `version` in its definition and rebuild'
  }
  return kind === 'relay'
    ? `mend what the broker refuses, then restart the worker: it keeps the outbox. Or \`tidemark drop ${name} --kind relay\``
    : 'mend its handler, then restart the worker'
}

/** What brings somebody to deliver it. */
function remedyFor({ kind, name, version, projectionState }: SubscriptionStatus): string {
  if (projectionState === 'building') {
    return `run \`tidemark rebuild ${name} --version ${version}\`, or drop the version if nobody needs it`
  }
  const run = 'run a worker that defines it'
  if (projectionState !== null) return `${run}; drop the version if nobody needs it`
  return kind === 'process' ? run : `${run}, or \`tidemark drop ${name} --kind ${kind}\``
}
