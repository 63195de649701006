import pRetry from 'p-retry'
import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { LogNames } from '../db/log-names.ts'
import { settleAll } from '../db/settle-all.ts'
import { isTransient } from '../db/sqlstate.ts'
import { transaction } from '../db/transaction.ts'
import { pause } from '../db/wait.ts'
import { advanceCheckpoint, markFailed, readCheckpoint } from './checkpoint.ts'
import type { Lease, LogSession } from './log-session.ts'
import { type LogCursor, type LogRun, readRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import { describeSubscription } from './subscription-id.ts'

export interface SubscriptionContext {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly session: LogSession
  readonly logger: Logger
  /** This process, for people who look at `status`. */
  readonly owner: string
  /** Positions in one chunk. */
  readonly batchSize: number
  /** Attempts at a chunk whose handler throws, before the subscription stops as failed. */
  readonly maxAttempts: number
  readonly onChunk?: (position: bigint, events: number) => void
}

/** Why a delivery ended: aborted, failed for good, or its subscription was removed. */
export type SubscriptionEnd = 'aborted' | 'failed' | 'gone'

/**
 * Delivers the log to a subscriber, chunk by chunk, whenever this process owns the subscription. A
 * chunk and the checkpoint behind it are one transaction, so that what is applied into Postgres is
 * applied exactly once, whatever crashes and whoever else believes to be the owner.
 *
 * A lost connection is retried for ever. A handler that throws is retried `maxAttempts` times; then
 * the subscription is marked failed with the reason and stands still until the process restarts.
 * Other subscriptions go on. Never skips an event.
 */
export async function runSubscription(
  subscriber: Subscriber,
  context: SubscriptionContext,
  signal: AbortSignal,
): Promise<SubscriptionEnd> {
  let end: SubscriptionEnd = 'aborted'
  const over = new AbortController()
  const ended = AbortSignal.any([signal, over.signal])
  const task = describeSubscription(subscriber.id)
  await keepTrying(
    async (healthy) => {
      const lease = await context.session.own(subscriber.id, ended)
      if (lease === undefined) return
      try {
        await deliver(subscriber, context, lease, healthy, ended)
      } catch (error) {
        if (!isFinal(error)) throw error
        end = isTidemarkError(error, 'SUBSCRIPTION_UNKNOWN') ? 'gone' : 'failed'
        if (end === 'failed') await stopAsFailed(subscriber, context, error)
        over.abort()
      } finally {
        subscriber.reset()
        await lease.release()
      }
    },
    { task, signal: ended, logger: context.logger },
  )
  return end
}

/** Whether trying again later, without anybody changing anything, cannot help. */
function isFinal(error: unknown): boolean {
  return !isTransient(error) && !isTidemarkError(error, 'CHECKPOINT_REGRESSED')
}

async function stopAsFailed(
  subscriber: Subscriber,
  context: SubscriptionContext,
  error: unknown,
): Promise<void> {
  const { code, message, details } = asTidemarkError(subscriber, error)
  const fields = { code, subscription: subscriber.id, err: error }
  context.logger.error(fields, `${message}; it stands still until the worker restarts`)
  await markFailed(context.pool, context.names, subscriber.id, {
    code,
    message,
    ...('position' in details ? { position: String(details.position) } : {}),
    ...('type' in details ? { type: details.type } : {}),
  })
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

/** Pause after a head that turned out to be wrong. */
const headPauseMs = 100

async function deliver(
  subscriber: Subscriber,
  context: SubscriptionContext,
  lease: Lease,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { head } = context.session
  let cursor = await startCursor(subscriber, context)
  let ahead: Promise<LogRun> | undefined
  let announced = false
  try {
    while (!signal.aborted && lease.isOwned()) {
      if (head.position <= cursor.position) {
        if (!announced) await subscriber.caughtUp?.()
        announced = true
        await head.beyond(cursor.position, signal)
        continue
      }
      const run: LogRun = await (ahead ?? read(subscriber, context, cursor))
      if (run.end.position === cursor.position) {
        // Somebody announced a position that the ledger does not have.
        await pause(headPauseMs, signal)
        continue
      }
      ahead = head.position > run.end.position ? read(subscriber, context, run.end) : undefined
      ahead?.catch(() => {})
      await applyWithRetries(subscriber, context, cursor, run, signal)
      if (signal.aborted) return
      healthy()
      cursor = run.end
      context.onChunk?.(cursor.position, run.events.length)
    }
  } finally {
    await ahead?.catch(() => {})
  }
}

async function startCursor(
  subscriber: Subscriber,
  context: SubscriptionContext,
): Promise<LogCursor> {
  const checkpoint = await readCheckpoint(context.pool, context.names, subscriber.id)
  if (checkpoint !== undefined) return { position: checkpoint.position, insertId: null }
  const subscription = describeSubscription(subscriber.id)
  throw new TidemarkError('SUBSCRIPTION_UNKNOWN', `${subscription} has no checkpoint`, {
    details: { subscription },
  })
}

function read(
  subscriber: Subscriber,
  context: SubscriptionContext,
  after: LogCursor,
): Promise<LogRun> {
  const { types } = subscriber
  return readRun(context.pool, context.names, { after, maxEvents: context.batchSize, types })
}

async function applyWithRetries(
  subscriber: Subscriber,
  context: SubscriptionContext,
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

async function apply(
  subscriber: Subscriber,
  context: SubscriptionContext,
  from: LogCursor,
  run: LogRun,
): Promise<void> {
  const { pool, names, owner } = context
  const move = { after: from.position, upto: run.end.position, owner }
  try {
    const chunk = async (client: pg.PoolClient) => {
      // In one round trip. The checkpoint's row is locked first, so that what `apply` reads is right.
      const moving = advanceCheckpoint(client, names, subscriber.id, move)
      const applying = run.events.length > 0 ? subscriber.apply(client, run.events) : undefined
      const [, moved] = await Promise.allSettled([applying, moving])
      // Before its handler is heard: who lost a race read rows that are not its own to read.
      if (moved.status === 'fulfilled' && !moved.value) throw regressed(subscriber, from)
      await settleAll([moving, applying])
    }
    await transaction(pool, chunk, { durable: subscriber.durable })
  } catch (error) {
    subscriber.reset()
    throw error
  }
  subscriber.committed()
}

function regressed(subscriber: Subscriber, from: LogCursor): TidemarkError {
  const subscription = describeSubscription(subscriber.id)
  return new TidemarkError(
    'CHECKPOINT_REGRESSED',
    `${subscription} is not at position ${from.position} any more: another process moved it`,
    { details: { subscription, expected: from.position } },
  )
}
