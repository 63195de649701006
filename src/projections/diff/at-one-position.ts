import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { pause } from '../../db/wait.ts'
import { unsequencedEvents } from '../../sequencer/unsequenced-events.ts'
import { unknownVersion } from '../versions/switch-version.ts'

/** Two versions of one projection. */
export interface VersionPair {
  readonly name: string
  readonly from: number
  readonly to: number
}

export interface OnePositionOptions {
  /** How long to wait until both versions have come to one position. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Where each version was in one snapshot. */
interface Places {
  readonly head: bigint
  readonly positions: ReadonlyMap<number, bigint>
  /** Where all of them were; undefined when they were not at one place. */
  readonly together: bigint | undefined
}

const timing = {
  /** Between two looks at versions that are on their way. */
  lookMs: 50,
  /** For how long positions are held back, so that a version which is nearly there comes to the head. */
  holdMs: 1_000,
  /** Between two looks while they are. */
  heldLookMs: 5,
}

/** Versions that are further behind would not come to the head while it is held. */
const maxHeldLag = 5_000n

/**
 * Reads two versions in one snapshot in which they have applied exactly the same events. Their workers go
 * on meanwhile: a snapshot keeps what it saw.
 *
 * When both stand at one position, as they do whenever the log rests, nobody notices. When they do not,
 * because events keep coming, new positions are held back for a second at most, so that both come to
 * the head: appends go on, only their positions are given a moment later.
 *
 * @param use reads with the client, in a transaction that can write nothing.
 * @throws PROJECTION_BEHIND when they were not at one position in time: nothing has changed.
 * @throws PROJECTION_VERSION_UNKNOWN, OPERATION_CANCELLED
 */
export async function atOnePosition<T>(
  pool: pg.Pool,
  names: LogNames,
  pair: VersionPair,
  options: OnePositionOptions,
  use: (client: pg.PoolClient, position: bigint) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    const position = await untilTogether(pool, client, names, pair, options)
    return await use(client, position)
  } finally {
    await client.query('rollback').catch((error: Error) => {
      broken = error
    })
    client.release(broken)
  }
}

async function untilTogether(
  pool: pg.Pool,
  client: pg.PoolClient,
  names: LogNames,
  pair: VersionPair,
  { timeoutMs, signal = new AbortController().signal }: OnePositionOptions,
): Promise<bigint> {
  const deadline = performance.now() + timeoutMs
  let heldAt: Places | undefined
  for (;;) {
    let places = await takeSnapshot(client, names, pair)
    if (places.together !== undefined) return places.together
    if (mayBeHeld(pool, places, heldAt)) {
      places = await takeHeldSnapshot(pool, client, names, pair)
      if (places.together !== undefined) return places.together
      heldAt = places
    }
    if (performance.now() >= deadline) throw apart(pair, places, timeoutMs)
    if (!(await pause(timing.lookMs, signal))) throw cancelled(pair)
  }
}

/** Whether it may help: not when a version is far behind, nor when nobody applies anything to it. */
function mayBeHeld(pool: pg.Pool, places: Places, heldAt: Places | undefined): boolean {
  if ((pool.options.max ?? 10) < 2) return false
  return [...places.positions].every(
    ([version, position]) =>
      places.head - position <= maxHeldLag &&
      (position === places.head || position !== heldAt?.positions.get(version)),
  )
}

/** Looks again and again while nobody sequences. */
async function takeHeldSnapshot(
  pool: pg.Pool,
  client: pg.PoolClient,
  names: LogNames,
  pair: VersionPair,
): Promise<Places> {
  const hold = async (holder: pg.PoolClient) => {
    await holder.query(`select ${names.schema}.hold_ledger()`)
    const until = performance.now() + timing.holdMs
    let places = await takeSnapshot(client, names, pair)
    while (places.together === undefined && performance.now() < until) {
      await delay(timing.heldLookMs)
      places = await takeSnapshot(client, names, pair)
    }
    return places
  }
  try {
    // The server lets go by itself when this process stands still.
    const limits = { lockTimeoutMs: timing.holdMs, silenceMs: 2 * timing.holdMs }
    return await transaction(pool, hold, limits)
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.lockNotAvailable) throw error
    return takeSnapshot(client, names, pair)
  }
}

const begin = [
  'begin isolation level repeatable read read only',
  // Whoever asks for a comparison of large tables waits for it.
  'set local statement_timeout = 0',
  'set local idle_in_transaction_session_timeout = 0',
].join('; ')

/** Begins a transaction whose snapshot is that of the places returned, and ends it if they are apart. */
async function takeSnapshot(
  client: pg.PoolClient,
  names: LogNames,
  { name, from, to }: VersionPair,
): Promise<Places> {
  await client.query(begin)
  const { rows } = await client.query<{
    version: number
    low: string
    high: string
    head: string
  }>(
    /* sql */ `
    select s.version, min(l.position)::text as low, max(l.position)::text as high,
      q.position::text as head
    from ${names.schema}.subscriptions as s
    cross join ${names.schema}.sequencer as q
    cross join lateral (
      select case
        when s.state <> 'inline' then s.position
        -- An inline version has all that the snapshot sees: a place only while all of it has positions.
        when exists (${unsequencedEvents(names.schema)}) then -1
        else q.position
      end as position
    ) as l
    where s.kind = 'projection' and s.name = $1 and s.version = any ($2)
    group by s.version, q.position`,
    [name, [from, to]],
  )
  const missing = [from, to].find((version) => !rows.some((row) => row.version === version))
  if (missing !== undefined) throw unknownVersion(name, missing)
  const ends = new Set(rows.flatMap(({ low, high }) => [low, high]))
  if (ends.size > 1) await client.query('rollback')
  return {
    head: BigInt(rows[0]?.head ?? 0),
    positions: new Map(rows.map(({ version, low }) => [version, BigInt(low)])),
    together: ends.size === 1 ? BigInt(rows[0]?.low ?? 0) : undefined,
  }
}

function apart({ name }: VersionPair, places: Places, timeoutMs: number): TidemarkError {
  const [behind, ahead] = [...places.positions].sort(([, a], [, b]) => (a < b ? -1 : 1))
  const [version, position] = behind ?? [0, 0n]
  const lag = places.head - position
  return new TidemarkError(
    'PROJECTION_BEHIND',
    `projection "${name}" version ${version} stands at position ${position}, version ` +
      `${ahead?.[0]} at ${ahead?.[1]}: they were not at one position within ${timeoutMs} ms. Let a ` +
      'worker follow them whose config has both. Nothing changed',
    { details: { projection: name, version, lag } },
  )
}

function cancelled({ name, from, to }: VersionPair): TidemarkError {
  const operation = `diff of versions ${from} and ${to} of projection "${name}"`
  return new TidemarkError('OPERATION_CANCELLED', `the ${operation} was stopped`, {
    details: { operation },
  })
}
