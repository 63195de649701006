import { keepTrying } from '../db/keep-trying.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscriber, reactorSubscription } from '../jobs/reactor-subscriber.ts'
import { createCheckpoint } from '../subscriptions/checkpoint.ts'
import { runSubscription } from '../subscriptions/run-subscription.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'

/** Runs a reactor. A new one begins where its definition says. */
export async function followReactor(
  reactor: Reactor,
  context: SubscriptionContext,
  jobSchema: string,
  signal: AbortSignal,
): Promise<void> {
  const { pool, names, logger } = context
  const created = new AbortController()
  await keepTrying(
    async () => {
      await createCheckpoint(pool, names, reactorSubscription(reactor), startOf(reactor))
      created.abort()
    },
    {
      task: `reactor "${reactor.name}"`,
      signal: AbortSignal.any([signal, created.signal]),
      logger,
    },
  )
  if (signal.aborted) return
  await runSubscription(reactorSubscriber(reactor, names, jobSchema), context, signal)
}

function startOf(reactor: Reactor): bigint | 'head' {
  if (reactor.from === 'now') return 'head'
  return reactor.from === 'start' ? 0n : reactor.from
}
