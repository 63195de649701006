import pRetry from 'p-retry'
import type pg from 'pg'
import { failpoint } from '../core/failpoint.ts'
import { settleAll } from '../db/settle-all.ts'
import { transaction } from '../db/transaction.ts'
import { applyLanes, commitLanes, resetLanes } from './apply-lanes.ts'
import { advanceCheckpoint, checkpointRegressed } from './checkpoint.ts'
import { isFinal } from './is-final.ts'
import type { LogCursor, LogRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery } from './subscription-context.ts'

/**
 * Applies a run and moves the checkpoint behind it, in one transaction. A handler that throws is tried
 * again, `maxAttempts` times in all.
 *
 * @throws HANDLER_FAILED and the like after the last attempt; at once what a new delivery may mend: a lost
 *   connection, CHECKPOINT_REGRESSED.
 */
export async function applyRun(
  subscriber: Subscriber,
  context: Delivery,
  from: LogCursor,
  run: LogRun,
  signal: AbortSignal,
): Promise<void> {
  await pRetry(() => asRetryable(apply(subscriber, context, from, run)), {
    retries: context.maxAttempts - 1,
    minTimeout: 100,
    maxTimeout: 5_000,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isFinal(error),
    onFailedAttempt: ({ error, attemptNumber }) => {
      const fields = { subscription: subscriber.id, attempt: attemptNumber, err: error }
      context.logger.warn(fields, error.message)
    },
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

/** p-retry gives up on a TypeError at once. */
async function asRetryable(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    throw error instanceof TypeError ? new Error(error.message, { cause: error }) : error
  }
}

/**
 * A chunk's transaction makes the server keep WAL since it began. So it gives up and begins anew when it
 * waits for a lock, such as of somebody who alters its tables; and the server ends it, with its session,
 * when the process that carries it out stands still.
 */
const chunkLimits = { lockTimeoutMs: 10_000, silenceMs: 60_000 }

async function apply(
  subscriber: Subscriber,
  context: Delivery,
  from: LogCursor,
  run: LogRun,
): Promise<void> {
  const { pool, names, owner, serverRun } = context
  const chunk = { after: from.position, upto: run.end.position, events: run.events }
  const move = { after: from.position, upto: run.end.position, owner, serverRun }
  try {
    const body = async (client: pg.PoolClient) => {
      // In one round trip. The checkpoint's row is locked first, so that what the lanes read is right.
      const moving = advanceCheckpoint(client, names, subscriber.id, move)
      const applying = applyLanes(subscriber, client, chunk)
      const [, moved] = await Promise.allSettled([applying, moving])
      // Before its handler is heard: who lost a race read rows that are not its own to read.
      if (moved.status === 'fulfilled' && !moved.value)
        throw checkpointRegressed(subscriber.id, from.position)
      await settleAll([moving, applying])
      failpoint('chunk-applied')
    }
    await transaction(pool, body, {
      durable: subscriber.durable,
      ...chunkLimits,
      ...context.chunkLimits,
    })
  } catch (error) {
    resetLanes(subscriber)
    throw error
  }
  commitLanes(subscriber)
}
