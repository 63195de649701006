import type { Logger } from '../core/logger.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscriber, reactorSubscription } from '../jobs/reactor-subscriber.ts'
import type { LoadShedder } from '../jobs/shedding/load-shedder.ts'
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
  const subscriber = reactorSubscriber(reactor, names, jobSchema, (shedder) =>
    announceShedding(reactor, shedder, logger),
  )
  await runSubscription(subscriber, context, signal)
}

function announceShedding(
  { name }: Reactor,
  { isShedding, behind }: LoadShedder,
  logger: Logger,
): void {
  const fields = { reactor: name, behind }
  if (isShedding)
    logger.warn(fields, `reactor "${name}" is ${behind} positions behind and sheds load`)
  else
    logger.info(fields, `reactor "${name}" sheds load no more: \`tidemark shed\` shows what it has`)
}

function startOf(reactor: Reactor): bigint | 'head' {
  if (reactor.from === 'now') return 'head'
  return reactor.from === 'start' ? 0n : reactor.from
}
