import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { resetLanes } from './apply-lanes.ts'
import { markFailed } from './checkpoint.ts'
import { deliver } from './deliver.ts'
import { isFinal } from './is-final.ts'
import { describePartition, whole } from './partitions/partition.ts'
import type { Subscriber } from './subscriber.ts'
import type { SubscriptionContext } from './subscription-context.ts'
import { describeSubscription } from './subscription-id.ts'

/**
 * Why a delivery ended: aborted, failed for good, its subscription was removed, or its keys are divided
 * into another number of partitions now.
 */
export type SubscriptionEnd = 'aborted' | 'failed' | 'gone' | 'repartitioned'

/**
 * Delivers the log to a subscriber, chunk by chunk, whenever this process owns the subscription. A
 * chunk and the checkpoint behind it are one transaction, so that what is applied into Postgres is
 * applied exactly once, whatever crashes and whoever else believes to be the owner.
 *
 * A lost connection is retried for ever. A handler that throws is retried `maxAttempts` times; then its
 * event is parked with all later ones of its key, or the subscription is marked failed with the reason
 * and stands still until the process restarts, whichever its policy is. Other subscriptions go on. Never
 * skips an event.
 */
export async function runSubscription(
  subscriber: Subscriber,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<SubscriptionEnd> {
  let end: SubscriptionEnd = 'aborted'
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  const { id, partition = whole } = subscriber
  const task = `${describeSubscription(id)}${describePartition(partition)}`
  await keepTrying(
    async (healthy) => {
      const lease = await context.session.own(id, ended, partition)
      if (lease === undefined) return
      try {
        if ((await deliver(subscriber, context, lease, healthy, ended)) === 'ended') return
        end = 'repartitioned'
        over.abort()
      } catch (error) {
        if (!isFinal(error)) throw error
        end = isTidemarkError(error, 'SUBSCRIPTION_UNKNOWN')
          ? 'gone'
          : await stopAsFailed(subscriber, context, error)
        over.abort()
      } finally {
        resetLanes(subscriber)
        await lease.release()
      }
    },
    { task, signal: ended, logger: context.logger },
  )
  return end
}

async function stopAsFailed(
  subscriber: Subscriber,
  context: SubscriptionContext,
  error: unknown,
): Promise<SubscriptionEnd> {
  const { id, partition } = subscriber
  const { code, message, details } = asTidemarkError(subscriber, error)
  const reason = {
    code,
    message,
    ...('position' in details ? { position: String(details.position) } : {}),
    ...('type' in details ? { type: details.type } : {}),
    ...('streamId' in details ? { streamId: details.streamId } : {}),
  }
  const isMarked = await markFailed(context.pool, context.names, id, reason, partition)
  if (!isMarked && partition !== undefined) return 'repartitioned'
  // By itself, for loggers that write of an error no more than its message.
  const stack = stackOf(error)
  const fields = { code, subscription: id, ...(partition && { partition }), err: error, stack }
  context.logger.error(fields, `${message}; it stands still until ${untilWhen(code)}`)
  return 'failed'
}

function untilWhen(code: string): string {
  return code === 'PROJECTION_DRIFTED' ? 'that is done' : 'the worker restarts'
}

/** Where the first of all causes was thrown: in a handler, if it was one. */
function stackOf(error: unknown): string | undefined {
  let first = error
  while (first instanceof Error && first.cause instanceof Error) first = first.cause
  return first instanceof Error ? first.stack : undefined
}

function asTidemarkError(subscriber: Subscriber, error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error
  const subscription = describeSubscription(subscriber.id)
  const reason = error instanceof Error ? error.message : String(error)
  return new TidemarkError('SUBSCRIPTION_FAILED', `${subscription} failed: ${reason}`, {
    details: { subscription, reason },
    cause: error,
  })
}
