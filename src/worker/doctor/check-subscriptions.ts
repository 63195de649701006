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
  const { parked } = subscription
  if (parked === 0) return []
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
    const reason = `no process delivers ${name}, ${lag} events behind`
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
  const remedy =
    errorCode === 'PROJECTION_DRIFTED'
      ? 'undo the change, and it goes on; or raise `version` in its definition and rebuild'
      : 'mend its handler, then restart the worker'
  return failure('subscriptions', reason, remedy)
}

/** What brings somebody to deliver it. */
function remedyFor({ name, version, projectionState }: SubscriptionStatus): string {
  return projectionState === 'building'
    ? `run \`tidemark rebuild ${name} --version ${version}\`, or drop the version if nobody needs it`
    : 'run a worker that defines it; drop the version if nobody needs it'
}
