import { isTidemarkError } from '../core/tidemark-error.ts'
import { run } from '../db/queryable.ts'
import type { Trouble } from './publish-patiently.ts'
import { type Relay, relaySubscription } from './relay.ts'
import type { RelayContext } from './relay-context.ts'

/**
 * Says that a broker cannot be reached, in the log and for `status`, at the first attempt and then at each that
 * comes twice as late. Whatever moves the checkpoint takes it back.
 */
export async function noteTrouble(
  { pool, names, logger }: RelayContext,
  relay: Relay,
  { since, attempts, error }: Trouble,
): Promise<void> {
  if (!Number.isInteger(Math.log2(attempts))) return
  const id = relaySubscription(relay)
  const message = error instanceof Error ? error.message : String(error)
  const code = isTidemarkError(error) ? error.code : 'PUBLISH_FAILED'
  logger.warn({ subscription: id, attempt: attempts, err: error }, message)
  await run(pool, {
    text: /* sql */ `
      update ${names.schema}.subscriptions
      set error = $2, updated_at = clock_timestamp()
      where kind = 'relay' and name = $1`,
    values: [relay.name, JSON.stringify({ code, message, since: since.toISOString() })],
  }).catch((failed: unknown) => logger.warn({ subscription: id, err: failed }, String(failed)))
}
