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
  const { state, error, lag, owner, position } = subscription
  const name = describeSubscription(subscription)
  if (state === 'failed') {
    const reason = `${name} failed at position ${position}: ${error ?? 'no reason is known'}`
    return [failure('subscriptions', reason, 'mend its handler, then restart the worker')]
  }
  if (state === 'inline') return []
  if (owner === null) {
    const remedy = 'run a worker that defines it; drop the version if nobody needs it'
    return [warning('subscriptions', `no process delivers ${name}, ${lag} events behind`, remedy)]
  }
  if (lag <= maxLag) return []
  const remedy = 'wait if it is catching up (its lag falls); else make its handlers faster'
  return [warning('subscriptions', `${name} is ${lag} events behind, over ${maxLag}`, remedy)]
}
