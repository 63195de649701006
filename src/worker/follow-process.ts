import type { AnyProcess } from '../core/processes/process-manager.ts'
import { processSubscriber } from '../jobs/processes/process-subscriber.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { followFrom } from './follow-from.ts'

/** Runs a process. A new one begins where its definition says. */
export async function followProcess(
  definition: AnyProcess,
  context: SubscriptionContext,
  jobSchema: string,
  signal: AbortSignal,
): Promise<void> {
  const { names } = context
  const subscriber = processSubscriber(definition, { names, jobSchema })
  await followFrom(definition.from, subscriber, context, signal)
}
