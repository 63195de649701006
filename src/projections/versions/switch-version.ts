import pRetry from 'p-retry'
import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { lockSubscription } from '../../subscriptions/checkpoint.ts'
import {
  guardSuccessors,
  mayPass,
  readInlineVersion,
  switchInline,
} from '../inline/switch-inline.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import { dropViews, showVersion } from '../views/views.ts'
import { projectionLag } from './lag.ts'
import { dropOwnedSchema } from './owned-schema.ts'
import { listVersions, lockProjection, type ProjectionVersion, setState } from './versions.ts'

export interface SwitchOptions {
  /**
   * How long one attempt waits at most for the readers of the views, who meanwhile hold up those after
   * them: for all views together. The first attempts wait less. Never more than half of the server's
   * `deadlock_timeout`, whatever is given: a longer wait could make a reader of two views the victim of a
   * deadlock. Default 500.
   */
  readonly lockTimeoutMs?: number
  /** Attempts before giving up. Default 20. */
  readonly maxAttempts?: number
  /** How many positions the version may be behind the log. Default 1,000. */
  readonly maxLag?: bigint
}

export interface PromoteOptions extends SwitchOptions {
  /** Version to show. Default: the newest that is ready or standing by, if it is newer than the live one. */
  readonly version?: number
  /** Also one that holds only the events after a position, as `replay` makes. Default false. */
  readonly partial?: boolean
}

/** Which version is shown now and which was before. */
export interface SwitchResult {
  readonly projection: string
  readonly live: number
  readonly before: number | null
}

const defaults = { lockTimeoutMs: 500, maxAttempts: 20, maxLag: 1_000n }

/**
 * Makes the views show another version, all tables at once, in one short transaction. The version
 * before goes on following the log as `standby`, so that `rollback` is as quick.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_STATE_INVALID, PROJECTION_BEHIND, PROJECTION_VIEW_IN_USE
 * @throws LOCK_TIMED_OUT when long queries kept the views in use for all attempts: nothing changed.
 */
export async function promote(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  options: PromoteOptions = {},
): Promise<SwitchResult> {
  return withRetries(name, options, (wait) =>
    switchIn(pool, names, name, wait, async (client, versions) => {
      const target = chooseTarget(name, versions, options.version)
      if (options.partial !== true) requireWhole(target)
      await requireCaughtUp(client, names, target, options.maxLag ?? defaults.maxLag)
      return target
    }),
  )
}

/**
 * Makes the views show the version before again: of the older ones that stand by, the one that was live
 * last. To show a newer one, promote it.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_STATE_INVALID when no older one stands by, LOCK_TIMED_OUT
 * @throws PROJECTION_BEHIND when no worker has kept it up to date: its views would go back in time.
 */
export async function rollback(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  options: SwitchOptions = {},
): Promise<SwitchResult> {
  return withRetries(name, options, (wait) =>
    switchIn(pool, names, name, wait, async (client, versions) => {
      const live = versions.find((version) => version.state === 'live')
      // An older one: who rolls back twice, to be sure, does not want the bad version back.
      const standby = versions
        .filter((version) => version.state === 'standby')
        .filter(({ version }) => live === undefined || version < live.version)
        .sort((a, b) => a.changedAt.getTime() - b.changedAt.getTime())
        .at(-1)
      if (standby === undefined)
        throw noneInState(name, versions, 'standby', 'older than the live one')
      await requireCaughtUp(client, names, standby, options.maxLag ?? defaults.maxLag)
      return standby
    }),
  )
}

/**
 * Removes a version with its tables. The live one is refused, unless it is the only one left and
 * `live` says that the projection itself is to go.
 *
 * @throws PROJECTION_UNKNOWN, PROJECTION_VERSION_UNKNOWN, PROJECTION_STATE_INVALID
 * @throws SCHEMA_FOREIGN when the schema is not one that this log created. Nothing was dropped.
 */
export async function dropVersion(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  version: number,
  options: { readonly live?: boolean } = {},
): Promise<void> {
  await transaction(pool, async (client) => {
    const versions = await lockedVersions(client, names, name)
    const target = versions.find((candidate) => candidate.version === version)
    if (target === undefined) throw unknownVersion(name, version)
    if (target.isInline) throw stateInvalid(target, 'is inline: make it asynchronous first')
    if (target.state === 'live') {
      await dropLast(client, names, target, versions, options.live === true)
    }
    // The checkpoint first, as a chunk does: so the two wait for each other and do not deadlock.
    await lockSubscription(client, names, projectionSubscription(target))
    await client.query(
      `delete from ${names.schema}.subscriptions
       where kind = 'projection' and name = $1 and version = $2`,
      [name, version],
    )
    await dropOwnedSchema(client, names, target.schemaName)
    await client.query(`delete from ${names.schema}.projections where name = $1 and version = $2`, [
      name,
      version,
    ])
    failpoint('version-dropped')
  })
}

async function dropLast(
  client: pg.ClientBase,
  names: LogNames,
  target: ProjectionVersion,
  versions: readonly ProjectionVersion[],
  allowed: boolean,
): Promise<void> {
  if (!allowed || versions.length > 1) {
    throw stateInvalid(target, 'is live: promote another version first')
  }
  await dropViews(client, target.viewSchema)
  await dropOwnedSchema(client, names, target.viewSchema)
}

async function switchIn(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  wait: Wait,
  choose: (
    client: pg.ClientBase,
    versions: readonly ProjectionVersion[],
  ) => Promise<ProjectionVersion>,
): Promise<SwitchResult> {
  await guardSuccessors(pool, names, name, wait.lockTimeoutMs)
  return transaction(pool, async (client) => {
    const versions = await lockedVersions(client, names, name)
    const live = versions.find((version) => version.state === 'live')
    const target = await choose(client, versions)
    if (live !== undefined) await setState(client, names, live, 'standby')
    await setState(client, names, target, 'live')
    failpoint('version-switched')
    if ((await readInlineVersion(client, names, name)) !== null) {
      const { lockTimeoutMs } = wait
      await switchInline(client, names, { name, version: target.version, lockTimeoutMs })
    }
    await showVersion(client, {
      ...target,
      before: live?.schemaName,
      lockTimeoutMs: Math.min(wait.lockTimeoutMs, await readLongestWait(client)),
      isReversed: wait.isReversed,
    })
    failpoint('views-switched')
    return { projection: name, live: target.version, before: live?.version ?? null }
  })
}

/**
 * Who waits for a lock looks for a deadlock after `deadlock_timeout`, and is its victim if there is one. A
 * switch that has given up by then leaves none to be found.
 */
async function readLongestWait(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(/* sql */ `
    select greatest(1, setting::integer / 2) as ms
    from pg_settings
    where name = 'deadlock_timeout'`)
  return rows[0]?.ms ?? defaults.lockTimeoutMs
}

/** How an attempt waits for readers. */
interface Wait {
  readonly lockTimeoutMs: number
  /** Whether it takes the views from the last to the first. */
  readonly isReversed: boolean
}

/**
 * Most readers are gone by then. One who takes the views in another order than the switch waits for it as
 * it does for him, until the switch gives up: the less it waited the better, and the next attempt takes them
 * the other way.
 */
const firstWaitMs = 5

/** 0 would mean to wait for ever. */
function checkLockTimeout(ms: number): number {
  if (Number.isInteger(ms) && ms >= 1 && ms < 2 ** 31) return ms
  const reason = 'it is a whole number of milliseconds from 1'
  throw new TidemarkError('OPTION_INVALID', `lockTimeoutMs ${ms} is not usable: ${reason}`, {
    details: { option: 'lockTimeoutMs', reason },
  })
}

async function withRetries<T>(
  name: string,
  options: SwitchOptions,
  attempt: (wait: Wait) => Promise<T>,
): Promise<T> {
  const timeoutMs = checkLockTimeout(options.lockTimeoutMs ?? defaults.lockTimeoutMs)
  const limited = (number: number) =>
    attempt({
      lockTimeoutMs: Math.min(timeoutMs, firstWaitMs * 2 ** (number - 1)),
      isReversed: number % 2 === 0,
    })
  try {
    return await pRetry(limited, {
      retries: (options.maxAttempts ?? defaults.maxAttempts) - 1,
      minTimeout: 10,
      maxTimeout: 1_000,
      randomize: true,
      shouldRetry: ({ error }) => isLockFailure(error) || mayPass(error),
    })
  } catch (error) {
    if (!isLockFailure(error)) throw error
    const resource = `views of projection "${name}"`
    throw new TidemarkError(
      'LOCK_TIMED_OUT',
      `the ${resource} stayed in use: end the long queries on them and try again. Nothing changed`,
      { details: { resource, timeoutMs }, cause: error },
    )
  }
}

function isLockFailure(error: unknown): boolean {
  const state = sqlstateOf(error)
  return state === sqlstate.lockNotAvailable || state === sqlstate.deadlockDetected
}

async function lockedVersions(
  client: pg.ClientBase,
  names: LogNames,
  name: string,
): Promise<readonly ProjectionVersion[]> {
  await lockProjection(client, names, name)
  const versions = await listVersions(client, names, name)
  if (versions.length > 0) return versions
  const all = await listVersions(client, names)
  throw unknownProjection(name, [...new Set(all.map((version) => version.name))])
}

function chooseTarget(
  name: string,
  versions: readonly ProjectionVersion[],
  wanted: number | undefined,
): ProjectionVersion {
  if (wanted === undefined) {
    const live = versions.find(({ state }) => state === 'live')
    // Never an older one by default: a deployment that is done again must not undo itself.
    const newest = versions
      .filter(({ state }) => state === 'ready' || state === 'standby')
      .filter(({ version }) => live === undefined || version > live.version)
      .at(-1)
    if (newest === undefined) throw noneInState(name, versions, 'ready', 'newer than the live one')
    return newest
  }
  const target = versions.find((version) => version.version === wanted)
  if (target === undefined) throw unknownVersion(name, wanted)
  if (target.state === 'live') throw stateInvalid(target, 'is live already')
  if (target.state === 'building') throw stateInvalid(target, 'is still building: run rebuild')
  return target
}

function requireWhole(target: ProjectionVersion): void {
  if (target.startPosition === 0n) return
  throw stateInvalid(
    target,
    `holds only events after position ${target.startPosition}: say \`partial\` to show it all the same`,
  )
}

async function requireCaughtUp(
  client: pg.ClientBase,
  names: LogNames,
  target: ProjectionVersion,
  maxLag: bigint,
): Promise<void> {
  const lag = await projectionLag(client, names, target)
  if (lag <= maxLag) return
  const { name, version } = target
  throw new TidemarkError(
    'PROJECTION_BEHIND',
    `projection "${name}" version ${version} is ${lag} events behind, at most ${maxLag} are ` +
      'allowed: let a worker catch up whose config has this version',
    { details: { projection: name, version, lag } },
  )
}

/** Says that no projection of the name exists, and which do. */
export function unknownProjection(name: string, known: readonly string[]): TidemarkError {
  const list = known.length === 0 ? 'none' : known.map((other) => `"${other}"`).join(', ')
  return new TidemarkError(
    'PROJECTION_UNKNOWN',
    `there is no projection "${name}"; known: ${list}`,
    { details: { projection: name, known } },
  )
}

/** Says that a projection has no such version, or none any more. */
export function unknownVersion(name: string, version: number): TidemarkError {
  return new TidemarkError(
    'PROJECTION_VERSION_UNKNOWN',
    `projection "${name}" has no version ${version}`,
    { details: { projection: name, version } },
  )
}

/** Says that the state of a version does not allow it. */
export function stateInvalid(version: ProjectionVersion, text: string): TidemarkError {
  const details = { projection: version.name, version: version.version, state: version.state }
  return new TidemarkError(
    'PROJECTION_STATE_INVALID',
    `projection "${version.name}" version ${version.version} ${text}`,
    { details },
  )
}

/** Says that no version is in the state that was asked for. */
export function noneInState(
  name: string,
  versions: readonly ProjectionVersion[],
  wanted: ProjectionState,
  besides?: string,
): TidemarkError {
  const states = versions.map(({ version, state }) => `version ${version} is ${state}`).join(', ')
  const what = besides === undefined ? wanted : `${wanted} and ${besides}`
  const live = versions.find((version) => version.state === 'live')
  return new TidemarkError(
    'PROJECTION_STATE_INVALID',
    `projection "${name}" has no version that is ${what}: ${states}`,
    { details: { projection: name, version: live?.version ?? 0, state: wanted } },
  )
}

type ProjectionState = ProjectionVersion['state']
