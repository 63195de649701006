import { TidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
import { applyRun } from './apply-run.ts'
import { type Checkpoint, checkpointRegressed, noteOwner, readCheckpoint } from './checkpoint.ts'
import { isFinal } from './is-final.ts'
import type { Lease } from './log-session.ts'
import { readParkedKeys } from './park-events.ts'
import { readNext } from './read-next.ts'
import type { LogCursor, LogRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery, SubscriptionContext } from './subscription-context.ts'
import { describeSubscription } from './subscription-id.ts'

/** Pause after a head that turned out to be wrong. */
const headPauseMs = 100

/**
 * Delivers from the checkpoint on, for as long as the lease lasts.
 *
 * @throws SUBSCRIPTION_UNKNOWN, and what ended it: whatever is final is so on the server it was read from.
 */
export async function deliver(
  subscriber: Subscriber,
  context: SubscriptionContext,
  lease: Lease,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const start = await readStart(subscriber, context)
  const { pool, names, owner } = context
  await noteOwner(pool, names, subscriber.id, owner)
  // After the revision: who changes them later raises it.
  const parked = await readParkedKeys(pool, names, subscriber.id)
  const { serverRun, revision } = start
  const delivery = { ...context, serverRun, revision, parked }
  const ended = AbortSignal.any([signal, lease.lost])
  try {
    await deliverRuns(subscriber, delivery, start.position, healthy, ended)
  } catch (error) {
    if (!isFinal(error) || (await isSameRun(subscriber, delivery))) throw error
    throw checkpointRegressed(subscriber.id, start.position)
  }
}

async function deliverRuns(
  subscriber: Subscriber,
  context: Delivery,
  start: bigint,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { head } = context.session
  let cursor: LogCursor = { position: start, insertId: null }
  let ahead: Promise<LogRun> | undefined
  let announced = false
  try {
    while (!signal.aborted) {
      if (head.position <= cursor.position) {
        if (!announced) await subscriber.caughtUp?.()
        announced = true
        await head.beyond(cursor.position, signal)
        continue
      }
      const run: LogRun = await (ahead ?? readNext(subscriber, context, cursor))
      if (run.end.position === cursor.position) {
        // Somebody announced a position that the ledger does not have.
        await pause(headPauseMs, signal)
        continue
      }
      ahead = head.position > run.end.position ? readNext(subscriber, context, run.end) : undefined
      ahead?.catch(() => {})
      await applyRun(subscriber, context, cursor, run, signal)
      if (signal.aborted) return
      healthy()
      const passed = Number(run.end.position - cursor.position)
      cursor = run.end
      context.onChunk?.(cursor.position, run.events?.length ?? null)
      await context.pace?.(passed, signal)
    }
  } finally {
    context.shared?.reads.leave(subscriber)
    await ahead?.catch(() => {})
  }
}

async function readStart(
  subscriber: Subscriber,
  context: SubscriptionContext,
): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(context.pool, context.names, subscriber.id)
  if (checkpoint !== undefined) return checkpoint
  const subscription = describeSubscription(subscriber.id)
  throw new TidemarkError('SUBSCRIPTION_UNKNOWN', `${subscription} has no checkpoint`, {
    details: { subscription },
  })
}

/** Whether an error can be the log's own, and not that of events which a failover took back. */
async function isSameRun(subscriber: Subscriber, context: Delivery): Promise<boolean> {
  const checkpoint = await readCheckpoint(context.pool, context.names, subscriber.id)
  return checkpoint === undefined || checkpoint.serverRun === context.serverRun
}
