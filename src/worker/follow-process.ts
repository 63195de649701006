import type { AnyProcess } from '../core/processes/process-manager.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { processSubscriber, processSubscription } from '../jobs/processes/process-subscriber.ts'
import { createCheckpoint } from '../subscriptions/checkpoint.ts'
import { runSubscription } from '../subscriptions/run-subscription.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'

/** Runs a process. A new one begins where its definition says. */
export async function followProcess(
  definition: AnyProcess,
  context: SubscriptionContext,
  jobSchema: string,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, logger } = context
  const created = new AbortController()
  await keepTrying(
    async () => {
      await createCheckpoint(pool, names, processSubscription(definition), startOf(definition))
      created.abort()
    },
    {
      task: `process "${definition.name}"`,
      signal: AbortSignal.any([signal, created.signal]),
      logger,
    },
  )
  if (signal.aborted) return
  await runSubscription(processSubscriber(definition, { names, jobSchema }), context, signal)
}

function startOf({ from }: AnyProcess): bigint | 'head' {
  if (from === 'now') return 'head'
  return from === 'start' ? 0n : from
}
