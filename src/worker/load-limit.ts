import type { IncomingMessage, ServerResponse } from 'node:http'
import { optionInvalid } from '../core/option-invalid.ts'
import { describeSubscription } from '../subscriptions/subscription-id.ts'
import type { Pressure, PressureOptions } from './pressure.ts'

/** Over which of these requests are refused. Without any nothing is. */
export interface LoadLimits extends PressureOptions {
  /** Appends of the store that are queued or under way. */
  readonly maxPendingAppends?: number
  /** Committed events without a position, up to 10,000. */
  readonly maxUnsequenced?: number
  /** Positions that the slowest subscription has before it. */
  readonly maxLag?: number
  /** What a client is told to wait. Default 1. */
  readonly retryAfterSeconds?: number
  /** How old an answer of the database may be. The store's own queue is looked at each time. Default 1,000. */
  readonly refreshMs?: number
}

/** Why a request is refused, and what to answer. */
export interface Refusal {
  readonly status: 429
  readonly headers: { readonly 'retry-after': string }
  /** For the log, not for a client. */
  readonly reason: string
}

/** Says whether a request is to be refused now; null: it is not. */
export type LoadLimit = () => Promise<Refusal | null>

/** What has a queue: a store. */
interface Pressed {
  pendingAppends(): number
  pressure(options?: PressureOptions): Promise<Pressure>
}

const defaults = { retryAfterSeconds: 1, refreshMs: 1_000 }

/**
 * Makes a limit for requests that write: over it they are answered with 429, before they cost anything. The
 * database is asked at most once in `refreshMs`, by one request for all, and only the first ever waits
 * for it. While it cannot be asked nothing is refused: the request finds out by itself.
 *
 * @throws OPTION_INVALID
 * @example
 * const refuse = loadLimit(store, { maxPendingAppends: 1_000, maxLag: 100_000 })
 * const refusal = await refuse()
 * if (refusal !== null) return new Response(null, refusal)
 */
export function loadLimit(store: Pressed, limits: LoadLimits): LoadLimit {
  const { retryAfterSeconds, refreshMs, subscriptions, ...most } = { ...defaults, ...limits }
  for (const [option, value] of Object.entries({ retryAfterSeconds, refreshMs, ...most })) {
    if (!Number.isFinite(value) || value < 0) throw optionInvalid(option, 'use a number from 0')
  }
  const read = () => store.pressure(subscriptions === undefined ? {} : { subscriptions })
  const latest = keepFresh(read, refreshMs)
  const headers = { 'retry-after': String(Math.ceil(retryAfterSeconds)) }
  return async () => {
    const reason = findExcess({ ...(await latest()), pendingAppends: store.pendingAppends() }, most)
    return reason === null ? null : { status: 429, headers, reason }
  }
}

/** A handler as Express and Connect call it; with a function of your own as `next` as `node:http` does. */
export type LoadLimitHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Answers requests over a limit with 429 and `Retry-After`, and gives all others on.
 *
 * @param onRefused told why, for the log.
 * @example
 * app.post('/orders', limitLoad(loadLimit(store, { maxPendingAppends: 1_000 })), placeOrder)
 */
export function limitLoad(
  limit: LoadLimit,
  onRefused: (refusal: Refusal, request: IncomingMessage) => void = () => {},
): LoadLimitHandler {
  return (request, response, next) => {
    limit().then((refusal) => {
      if (refusal === null) return next()
      onRefused(refusal, request)
      response.writeHead(refusal.status, refusal.headers).end()
    }, next)
  }
}

type Limits = Pick<LoadLimits, 'maxPendingAppends' | 'maxUnsequenced' | 'maxLag'>

function findExcess(pressure: Partial<Pressure>, limits: Limits): string | null {
  const { pendingAppends = 0, unsequenced = 0, lag = 0n, slowest } = pressure
  const { maxPendingAppends = Infinity, maxUnsequenced = Infinity, maxLag = Infinity } = limits
  if (pendingAppends > maxPendingAppends) return `${pendingAppends} appends are pending`
  if (unsequenced > maxUnsequenced) return `${unsequenced} events have no position yet`
  if (lag <= maxLag || slowest == null) return null
  return `${describeSubscription(slowest)} is ${lag} positions behind`
}

/** Reads again what is older than that, while the last answer goes on to be given. Undefined: none is known. */
function keepFresh<T>(read: () => Promise<T>, maxAgeMs: number): () => Promise<T | undefined> {
  let last: { readonly value: T | undefined; readonly at: number } | undefined
  let reading: Promise<void> | undefined
  const refresh = async () => {
    const value = await read().catch(() => undefined)
    last = { value, at: performance.now() }
    reading = undefined
  }
  return async () => {
    if (last === undefined || performance.now() - last.at >= maxAgeMs) reading ??= refresh()
    if (last === undefined) await reading
    return last?.value
  }
}
