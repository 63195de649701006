import type { Logger } from '../core/logger.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscriber } from '../jobs/reactor-subscriber.ts'
import type { LoadShedder } from '../jobs/shedding/load-shedder.ts'
import type { SubscriptionContext } from '../subscriptions/subscription-context.ts'
import { followFrom } from './follow-from.ts'

/** Runs a reactor. A new one begins where its definition says. */
export async function followReactor(
  reactor: Reactor,
  context: SubscriptionContext,
  jobSchema: string,
  signal: AbortSignal,
): Promise<void> {
  const { names, logger } = context
  const subscriber = reactorSubscriber(reactor, names, jobSchema, (shedder) =>
    announceShedding(reactor, shedder, logger),
  )
  await followFrom(reactor.from, subscriber, context, signal)
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
