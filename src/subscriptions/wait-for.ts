import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import { parseToken, type Token, type TokenParts } from '../core/token.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import { pause } from '../db/wait.ts'
import { describeSubscription, type SubscriptionKind } from './subscription-id.ts'

export interface WaitOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A subscription to wait for. Without a version: of a projection the live one, else any. */
export interface WaitTarget {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly version?: number
}

interface Row {
  readonly position: string | null
  readonly checkpoint: string | null
  readonly state: string | null
  readonly reason: string | null
}

const defaults = { timeoutMs: 5_000 }

/** Pauses between looks grow from the first to the longest: most waits end within milliseconds. */
const pauseMs = { first: 1, growth: 1.4, longest: 50 }

/** Looks at the ledger between two looks at whether a missing transaction was rolled back. */
const looksBetweenStatus = 12

/**
 * Waits, from any process, until the commit that a token names is sequenced and, if a target is
 * given, until that subscription has applied it.
 *
 * @returns the position of the commit's last event.
 * @throws WAIT_TIMED_OUT when it took longer: the commit itself is safe.
 * @throws TRANSACTION_NOT_COMMITTED when the token's transaction was rolled back, or was lost with the
 *   server that had committed it.
 * @throws SUBSCRIPTION_FAILED when the target stands still.
 * @throws SUBSCRIPTION_UNKNOWN when there was no such target for the whole time.
 * @throws TOKEN_INVALID, OPERATION_CANCELLED
 */
export async function waitForToken(
  connection: Connection,
  names: LogNames,
  token: Token | string,
  target: WaitTarget | undefined,
  options: WaitOptions = {},
): Promise<bigint> {
  // Null is for who needs no position.
  return (await waitUntil(connection, names, token, target, options, reached)) ?? 0n
}

/**
 * Waits, from any process, until a query of a projection shows what the commit that a token names has
 * brought about. For one that is inline that is as soon as it is committed. Throws as {@link waitForToken}.
 */
export async function waitUntilShown(
  connection: Connection,
  names: LogNames,
  token: Token | string,
  target: WaitTarget,
  options: WaitOptions = {},
): Promise<void> {
  const isShown = async (row: Row) => {
    if (row.state !== 'inline' || row.position !== null) return reached(row, target)
    const status = await findStatus(connection, names, parseToken(token))
    return status === 'committed' ? null : undefined
  }
  await waitUntil(connection, names, token, target, options, isShown)
}

/** What was waited for: a position, null when it needs none, or undefined to look again. */
type Reached = bigint | null | undefined

async function waitUntil(
  connection: Connection,
  names: LogNames,
  token: Token | string,
  target: WaitTarget | undefined,
  options: WaitOptions,
  decide: (row: Row, target: WaitTarget | undefined) => Reached | Promise<Reached>,
): Promise<bigint | null> {
  const timeoutMs = options.timeoutMs ?? defaults.timeoutMs
  const signal = options.signal ?? new AbortController().signal
  const deadline = performance.now() + timeoutMs
  for (let look = 0, ms = pauseMs.first; ; look += 1, ms *= pauseMs.growth) {
    const row = await lookUp(connection, names, token, target)
    const position = await decide(row, target)
    if (position !== undefined) return position
    const isOver = performance.now() >= deadline
    if (row.position === null && (isOver || look % looksBetweenStatus === looksBetweenStatus - 1)) {
      await requireCommitted(connection, names, token)
    }
    if (isOver) throw timedOut(token, target, row, timeoutMs)
    if (!(await pause(Math.min(ms, pauseMs.longest), signal))) throw cancelled()
  }
}

async function lookUp(
  connection: Connection,
  names: LogNames,
  token: Token | string,
  target: WaitTarget | undefined,
): Promise<Row> {
  const { incarnation, transactionId } = parseToken(token)
  const rows = await run<Row>(connection, {
    name: `tidemark-wait-${names.schema}`,
    text: /* sql */ `
      select c.position::text, s.position::text as checkpoint, s.state, s.reason
      from (select) as one
      left join ${names.schema}.commits as c
        on c.incarnation = $1 and c.transaction_id = $2
      cross join lateral (
        select
          min(s.position) as position,
          case when bool_or(s.state = 'failed') then 'failed' else min(s.state) end as state,
          min(s.error ->> 'message') filter (where s.state = 'failed') as reason
        from ${names.schema}.subscriptions as s
        where s.kind = $3
          and s.name = $4
          and (
            s.version = $5
            or $5::integer is null
            and (
              s.kind <> 'projection'
              or exists (
                select
                from ${names.schema}.projections as p
                where p.name = s.name and p.version = s.version and p.state = 'live'
              )
            )
          )
      ) as s`,
    values: [
      incarnation,
      transactionId.toString(),
      target?.kind ?? null,
      target?.name ?? null,
      target?.version ?? null,
    ],
  })
  return rows[0] ?? { position: null, checkpoint: null, state: null, reason: null }
}

function reached(row: Row, target: WaitTarget | undefined): bigint | undefined {
  const position = row.position === null ? undefined : BigInt(row.position)
  if (target === undefined) return position
  // No checkpoint: a worker that starts now may be about to create it.
  if (row.checkpoint === null) return undefined
  const isApplied = row.state === 'inline' || (position ?? 0n) <= BigInt(row.checkpoint)
  if (position !== undefined && isApplied) return position
  if (row.state === 'failed') {
    const subscription = describeTarget(target)
    const reason = row.reason ?? 'unknown'
    throw new TidemarkError('SUBSCRIPTION_FAILED', `${subscription} stands still: ${reason}`, {
      details: { subscription, reason },
    })
  }
  return undefined
}

async function requireCommitted(
  connection: Connection,
  names: LogNames,
  token: Token | string,
): Promise<void> {
  const status = await findStatus(connection, names, parseToken(token))
  if (status === 'committed' || status === 'in progress') return
  throw new TidemarkError(
    'TRANSACTION_NOT_COMMITTED',
    `the transaction of token "${token}" was not committed: ${status}`,
    { details: { token, status } },
  )
}

/** Finds out what became of a transaction of which the ledger did not tell. */
async function findStatus(
  connection: Connection,
  names: LogNames,
  { incarnation, transactionId }: TokenParts,
): Promise<string> {
  const [bounds] = await run<{ current: number; is_past: boolean }>(connection, {
    text: /* sql */ `
      select
        incarnation::integer as current,
        (low_incarnation, low_xid) > ($1::smallint, $2::xid8)
          and not exists (
            select
            from ${names.schema}.commits as c
            where c.incarnation = $1 and c.transaction_id = $2
          ) as is_past
      from ${names.schema}.sequencer`,
    values: [incarnation, transactionId.toString()],
  })
  // A server knows its own transactions only, and after a failover or a restore gives their ids again.
  const status =
    bounds?.current === incarnation
      ? await transactionStatus(connection, transactionId)
      : 'committed'
  const isUnknown = bounds?.is_past === true || incarnation > (bounds?.current ?? incarnation)
  return status === 'committed' && isUnknown ? 'it has no events in the log' : status
}

async function transactionStatus(connection: Connection, transactionId: bigint): Promise<string> {
  try {
    const rows = await run<{ status: string | null }>(connection, {
      text: 'select pg_xact_status($1) as status',
      values: [transactionId.toString()],
    })
    // The server forgets the fate of old transactions; then only the ledger can answer.
    return rows[0]?.status ?? 'committed'
  } catch (error) {
    if (sqlstateOf(error) === '22023') return 'unknown to this server'
    throw error
  }
}

function describeTarget(target: WaitTarget): string {
  if (target.version === undefined) return `${target.kind} "${target.name}"`
  return describeSubscription({ ...target, version: target.version })
}

function timedOut(
  token: Token | string,
  target: WaitTarget | undefined,
  row: Row,
  timeoutMs: number,
): TidemarkError {
  if (target !== undefined && row.checkpoint === null) {
    const subscription = describeTarget(target)
    return new TidemarkError(
      'SUBSCRIPTION_UNKNOWN',
      `there is no ${subscription}, after ${timeoutMs} ms: run a worker that defines it`,
      { details: { subscription } },
    )
  }
  const waitingFor = target === undefined ? 'the sequencer' : describeTarget(target)
  return new TidemarkError(
    'WAIT_TIMED_OUT',
    `${waitingFor} has not reached token "${token}" within ${timeoutMs} ms: is a worker running?`,
    { details: { waitingFor, timeoutMs } },
  )
}

function cancelled(): TidemarkError {
  const operation = 'wait'
  return new TidemarkError('OPERATION_CANCELLED', 'the wait was cancelled', {
    details: { operation },
  })
}

/** Whether a wait ended because a projection is behind, which it may not be later. */
export function isStale(error: unknown): boolean {
  return isTidemarkError(error, 'WAIT_TIMED_OUT') || isTidemarkError(error, 'SUBSCRIPTION_FAILED')
}
