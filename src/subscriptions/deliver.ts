import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import { pause } from '../db/wait.ts'
import { applyRun } from './apply-run.ts'
import { BatchSize } from './batch-size.ts'
import { type Checkpoint, checkpointRegressed, noteOwner, readCheckpoint } from './checkpoint.ts'
import { isFinal } from './is-final.ts'
import type { Lease } from './log-session.ts'
import { readParkedKeys } from './parking/park-events.ts'
import { whole } from './partitions/partition.ts'
import { concludeRepartition } from './partitions/repartition.ts'
import { readNext } from './read-next.ts'
import type { LogCursor, LogRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'
import type { Delivery, SubscriptionContext } from './subscription-context.ts'
import { describeSubscription } from './subscription-id.ts'

/** Pause after a head that turned out to be wrong. */
const headPauseMs = 100

/** Pause between two looks at partitions that are on their way. */
const haltPauseMs = 50

/** Why a delivery ended by itself: its lease did, or the keys are divided otherwise now. */
export type DeliveryEnd = 'ended' | 'repartitioned'

/**
 * Delivers from the checkpoint on, for as long as the lease lasts. When the number of partitions is to
 * change, up to the position where that happens; then it waits for the others.
 *
 * @throws SUBSCRIPTION_UNKNOWN, and what ended it: whatever is final is so on the server it was read from.
 */
export async function deliver(
  subscriber: Subscriber,
  context: SubscriptionContext,
  lease: Lease,
  healthy: () => void,
  signal: AbortSignal,
): Promise<DeliveryEnd> {
  const start = await readStart(subscriber, context)
  if (start === undefined) return 'repartitioned'
  const { pool, names, owner } = context
  await noteOwner(pool, names, subscriber.id, owner, subscriber.partition)
  // After the revision: who changes them later raises it.
  const parked = await readParkedKeys(pool, names, subscriber.id)
  const { serverRun, revision, haltAt } = start
  const delivery = { ...context, serverRun, revision, haltAt, parked }
  const ended = AbortSignal.any([signal, lease.lost])
  try {
    await deliverRuns(subscriber, delivery, start.position, healthy, ended)
  } catch (error) {
    const cause = await causeOf(error, subscriber, delivery, start.position)
    const isInOrder =
      isTidemarkError(cause, 'CHECKPOINT_REGRESSED') && (await isRevised(subscriber, delivery))
    if (!isInOrder) throw cause
    context.logger.debug({ subscription: subscriber.id, err: cause }, cause.message)
    return 'ended'
  }
  if (ended.aborted || !(await isDividedAnew(subscriber, context))) return 'ended'
  return untilRepartitioned(subscriber, context, ended)
}

/** All partitions stand at one position before their number changes. */
async function untilRepartitioned(
  { id }: Subscriber,
  { pool, names }: SubscriptionContext,
  signal: AbortSignal,
): Promise<DeliveryEnd> {
  while ((await concludeRepartition(pool, names, id)) === 'waiting') {
    if (!(await pause(haltPauseMs, signal))) return 'ended'
  }
  return 'repartitioned'
}

async function deliverRuns(
  subscriber: Subscriber,
  context: Delivery,
  start: bigint,
  healthy: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { head } = context.session
  const { haltAt } = context
  let cursor: LogCursor = { position: start, insertId: null }
  const size = new BatchSize(context.batchSize)
  let ahead: Promise<LogRun> | undefined
  let rest: Rest = 'open'
  try {
    while (!signal.aborted && cursor.position !== haltAt) {
      if (head.position <= cursor.position) {
        rest = await restAt(cursor.position, rest, subscriber, context, signal)
        if (rest === 'divided') return
        continue
      }
      const run: LogRun = await (ahead ?? readNext(subscriber, context, cursor, size))
      if (run.end.position === cursor.position) {
        // Somebody announced a position that the ledger does not have.
        await pause(headPauseMs, signal)
        continue
      }
      ahead = readAhead(subscriber, context, run.end, size)
      subscriber.observe?.(head.position - cursor.position)
      const passed = Number(run.end.position - cursor.position)
      const began = performance.now()
      await applyRun(subscriber, context, cursor, run, signal)
      if (signal.aborted) return
      size.took(passed, performance.now() - began)
      healthy()
      cursor = run.end
      context.onChunk?.(cursor.position, run.events?.length ?? null)
      await context.pace?.(passed, signal)
    }
  } finally {
    context.shared?.reads.leave(subscriber)
    await ahead?.catch(() => {})
  }
}

/** Reads the next run while this one is applied, if there is more to read. */
function readAhead(
  subscriber: Subscriber,
  context: Delivery,
  after: LogCursor,
  size: BatchSize,
): Promise<LogRun> | undefined {
  const hasMore = context.session.head.position > after.position
  if (!hasMore || after.position === context.haltAt) return undefined
  const ahead = readNext(subscriber, context, after, size)
  ahead.catch(() => {})
  return ahead
}

/** What is left to do at the head: nothing, something later, or nothing here, as the keys are divided anew. */
type Rest = 'settled' | 'open' | 'divided'

/** Does what is left to do and waits for more, unless the keys are divided anew. */
async function restAt(
  position: bigint,
  before: Rest,
  subscriber: Subscriber,
  context: Delivery,
  signal: AbortSignal,
): Promise<Rest> {
  const rest = before === 'settled' ? before : await settle(subscriber, context)
  if (rest !== 'divided') await context.session.head.beyond(position, signal)
  return rest
}

async function settle(subscriber: Subscriber, context: Delivery): Promise<Rest> {
  if (subscriber.caughtUp === undefined || (await subscriber.caughtUp())) return 'settled'
  return (await isDividedAnew(subscriber, context)) ? 'divided' : 'open'
}

/** Whether the number of partitions has changed, or is about to. */
async function isDividedAnew(
  { id, partition = whole }: Subscriber,
  { pool, names }: SubscriptionContext,
): Promise<boolean> {
  const now = await readCheckpoint(pool, names, id)
  return now !== undefined && (now.partitions !== partition.count || now.haltAt !== null)
}

/** @returns undefined when the keys are divided otherwise than the subscriber believes. */
async function readStart(
  { id, partition = whole }: Subscriber,
  { pool, names }: SubscriptionContext,
): Promise<Checkpoint | undefined> {
  const checkpoint = await readCheckpoint(pool, names, id, partition)
  if (checkpoint?.partitions === partition.count) return checkpoint
  if (checkpoint !== undefined) return undefined
  if ((await readCheckpoint(pool, names, id)) !== undefined) return undefined
  const subscription = describeSubscription(id)
  throw new TidemarkError('SUBSCRIPTION_UNKNOWN', `${subscription} has no checkpoint`, {
    details: { subscription },
  })
}

/** What is final was so on the server, and for the partition, that it was read for. */
async function causeOf(
  error: unknown,
  subscriber: Subscriber,
  delivery: Delivery,
  position: bigint,
): Promise<unknown> {
  if (!isFinal(error) || (await isSameRun(subscriber, delivery))) return error
  return checkpointRegressed(subscriber.id, position)
}

/**
 * Whether a checkpoint is not where it was because somebody changed what was applied, as a switch, a retry of
 * parked events, a replay or another number of partitions do. Then all is in order, and delivery begins anew.
 */
async function isRevised(
  { id, partition = whole }: Subscriber,
  { pool, names, serverRun, revision, haltAt }: Delivery,
): Promise<boolean> {
  const now = await readCheckpoint(pool, names, id, partition)
  if (now === undefined) return true
  if (now.serverRun !== serverRun) return false
  return now.revision !== revision || now.partitions !== partition.count || now.haltAt !== haltAt
}

/**
 * Whether an error can be the log's own, and not that of events which a failover took back, or which are
 * another partition's by now.
 */
async function isSameRun(
  { id, partition = whole }: Subscriber,
  { pool, names, serverRun }: Delivery,
): Promise<boolean> {
  const first = await readCheckpoint(pool, names, id)
  return (
    first === undefined || (first.serverRun === serverRun && first.partitions === partition.count)
  )
}
