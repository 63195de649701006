import pRetry from 'p-retry'
import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import type { AnyProjection } from '../projection.ts'
import { requireUnchanged } from '../tables/drift.ts'
import { projectionLag } from '../versions/lag.ts'
import { noneInState, stateInvalid, unknownProjection } from '../versions/switch-version.ts'
import { ensureVersion, listVersions, lockProjection } from '../versions/versions.ts'
import {
  type InlineSwitch,
  mayPass,
  prepareVersion,
  readInlineVersion,
  switchInline,
} from './switch-inline.ts'

/**
 * Who applies a projection: every append, in its own transaction (`inline`), or workers, behind the log
 * (`async`).
 */
export type ProjectionMode = 'inline' | 'async'

export interface SetModeOptions {
  /**
   * How long one attempt waits at most for transactions that append, which meanwhile holds up those after
   * them. The first attempts wait less. Default 500.
   */
  readonly lockTimeoutMs?: number
  /** Attempts before giving up. Default 20. */
  readonly maxAttempts?: number
  /** How many positions the live version may be behind the log when it becomes inline. Default 1,000. */
  readonly maxLag?: bigint
}

/** Who applies a projection now. */
export interface SetModeResult {
  readonly projection: string
  /** The live version. */
  readonly version: number
  readonly mode: ProjectionMode
}

const defaults = { lockTimeoutMs: 500, maxAttempts: 20, maxLag: 1_000n }

/** Most transactions that append are over by then. */
const firstWaitMs = 10

/** How long appends wait at most in one attempt; at first a tenth of it. */
const longestHoldMs = 1_000

/**
 * Has the live version of a projection applied by appends from now on, or by workers, without losing or
 * repeating an event. Appends wait for a moment, until workers have come to the head of the log; their
 * transactions that are open are waited for.
 *
 * Once it is inline, nobody appends what it reads but stores that are given this version as `inline`: give
 * it to all of them first.
 *
 * @param projection its definition, which also makes its first version; or its name.
 * @throws PROJECTION_UNKNOWN, PROJECTION_STATE_INVALID when the live version is another one, or stands
 *   still; PROJECTION_DRIFTED when somebody changed its tables; PROJECTION_BEHIND when no worker brings it to the head, LOCK_TIMED_OUT when transactions that
 *   append went on all the time. Nothing changed.
 */
export async function setMode(
  pool: pg.Pool,
  names: LogNames,
  projection: AnyProjection | string,
  mode: ProjectionMode,
  options: SetModeOptions = {},
): Promise<SetModeResult> {
  const { lockTimeoutMs, maxAttempts, maxLag } = { ...defaults, ...options }
  const isDefined = typeof projection !== 'string'
  if (isDefined) await ensureVersion(pool, names, projection, 'first')
  const wanted = isDefined ? projection : { name: projection }
  const attempt = async (number: number) => {
    const waitMs = Math.min(lockTimeoutMs, firstWaitMs * 2 ** (number - 1))
    const timing = { lockTimeoutMs: waitMs, holdMs: Math.min(longestHoldMs, 10 * waitMs) }
    if (mode === 'inline') await prepareLive(pool, names, wanted, waitMs)
    return attemptOnce(pool, names, wanted, mode, { ...timing, maxLag })
  }
  try {
    return await pRetry(attempt, {
      retries: maxAttempts - 1,
      minTimeout: 10,
      maxTimeout: 1_000,
      randomize: true,
      shouldRetry: ({ error }) => isLockFailure(error) || mayPass(error),
    })
  } catch (error) {
    throw isLockFailure(error) ? lockTimedOut(wanted.name, lockTimeoutMs, error) : error
  }
}

type Timing = Required<Pick<InlineSwitch, 'lockTimeoutMs' | 'holdMs'>>

interface Wanted {
  readonly name: string
  readonly version?: number
}

async function attemptOnce(
  pool: pg.Pool,
  names: LogNames,
  wanted: Wanted,
  mode: ProjectionMode,
  { maxLag, ...timing }: Timing & { readonly maxLag: bigint },
): Promise<SetModeResult> {
  return transaction(
    pool,
    async (client) => {
      const version = await lockLive(client, names, wanted)
      const isInline = (await readInlineVersion(client, names, wanted.name)) !== null
      const result = { projection: wanted.name, version, mode }
      if (isInline === (mode === 'inline')) return result
      if (mode === 'inline') {
        await requireUnchanged(client, names, { name: wanted.name, version, state: 'live' })
        await requireNear(client, names, wanted.name, version, maxLag)
      }
      const target = mode === 'inline' ? version : null
      await switchInline(client, names, { name: wanted.name, version: target, ...timing })
      return result
    },
    { isolation: 'read committed' },
  )
}

async function prepareLive(
  pool: pg.Pool,
  names: LogNames,
  wanted: Wanted,
  lockTimeoutMs: number,
): Promise<void> {
  const versions = await listVersions(pool, names, wanted.name)
  const live = versions.find(({ state }) => state === 'live')
  if (live !== undefined) await prepareVersion(pool, names, live, lockTimeoutMs)
}

/** Keeps the versions as they are, and finds the live one. */
async function lockLive(client: pg.ClientBase, names: LogNames, wanted: Wanted): Promise<number> {
  await lockProjection(client, names, wanted.name)
  const versions = await listVersions(client, names, wanted.name)
  if (versions.length === 0) {
    const all = await listVersions(client, names)
    throw unknownProjection(wanted.name, [...new Set(all.map(({ name }) => name))])
  }
  const live = versions.find(({ state }) => state === 'live')
  if (live === undefined) throw noneInState(wanted.name, versions, 'live')
  if (wanted.version === undefined || wanted.version === live.version) return live.version
  throw stateInvalid(live, `is live, not version ${wanted.version}: promote that first`)
}

/** A version that is far behind would not come to the head while appends wait. */
async function requireNear(
  client: pg.ClientBase,
  names: LogNames,
  name: string,
  version: number,
  maxLag: bigint,
): Promise<void> {
  const lag = await projectionLag(client, names, { name, version })
  if (lag <= maxLag) return
  throw new TidemarkError(
    'PROJECTION_BEHIND',
    `projection "${name}" version ${version} is ${lag} events behind, over ${maxLag}: ` +
      'let a worker catch up first',
    { details: { projection: name, version, lag } },
  )
}

function isLockFailure(error: unknown): boolean {
  const state = sqlstateOf(error)
  return state === sqlstate.lockNotAvailable || state === sqlstate.deadlockDetected
}

function lockTimedOut(name: string, timeoutMs: number, cause: unknown): TidemarkError {
  const resource = 'log'
  return new TidemarkError(
    'LOCK_TIMED_OUT',
    `projection "${name}" was not switched: transactions that append went on all the time. End them and ` +
      'try again. Nothing changed',
    { details: { resource, timeoutMs }, cause },
  )
}
