import type pg from 'pg'
import type { NewEvent } from '../../src/core/event.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { createPool } from '../../src/db/connect.ts'
import { logNames } from '../../src/db/log-names.ts'
import {
  projectionSubscriber,
  projectionSubscription,
} from '../../src/projections/lanes/projection-subscriber.ts'
import type { AnyProjection } from '../../src/projections/projection.ts'
import { settleVersion } from '../../src/projections/versions/settle-version.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { appendToStream } from '../../src/store/append.ts'
import { LogSession } from '../../src/subscriptions/log-session.ts'
import type { Partition } from '../../src/subscriptions/partitions/partition.ts'
import { runPartitions } from '../../src/subscriptions/partitions/run-partitions.ts'
import { type Background, inBackground } from '../sequencer/background.ts'
import { until } from '../support/until.ts'

export const names = logNames()

/** Generous: several test files share the machine. */
export const timeoutMs = 20_000

let streams = 0

/** Commits events to a stream of their own and gives them their positions. */
export async function commit(pool: pg.Pool, events: readonly NewEvent[]): Promise<void> {
  streams += 1
  await appendToStream(pool, names, { streamId: `commit-${streams}`, events })
  await sequence(pool)
}

/** Writes every commit that is visible into the ledger, and announces it as a leader does. */
export async function sequence(pool: pg.Pool): Promise<void> {
  await pool.query(
    /* sql */ `
    select s.*
    from tidemark.sequencer
    cross join lateral
      tidemark.sequence_from_table(generation, 'x', pg_current_snapshot(), '0/1', $1) as s`,
    [names.channel],
  )
}

export async function headPosition(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query('select position::text from tidemark.sequencer')
  return BigInt(rows[0].position)
}

export interface FollowOptions {
  readonly batchSize?: number
  readonly maxCachedRows?: number
  readonly maxAttempts?: number
}

export interface Follower extends Background {
  /** Waits until the version has applied all that has a position now. */
  untilCaughtUp(): Promise<void>
}

/** Creates the version unless it exists, and applies the log to it until stopped. */
export async function follow(
  database: { readonly connectionString: string; readonly pool: pg.Pool },
  projection: AnyProjection,
  options: FollowOptions = {},
): Promise<Follower> {
  const { connectionString } = database
  const pool = createPool({ connectionString, max: 4 })
  await ensureVersion(pool, names, projection, 'any').catch(async (error) => {
    await pool.end()
    throw error
  })
  const session = new LogSession({
    connectionString,
    names,
    logger: silentLogger,
    pollIntervalMs: 500,
  })
  const { maxCachedRows } = options
  const subscriberOf = (partition: Partition) =>
    projectionSubscriber(projection, names, {
      ...(maxCachedRows === undefined ? {} : { maxCachedRows }),
      caughtUp: () => settleVersion(pool, names, projection),
      partition,
    })
  const context = {
    pool,
    names,
    session,
    logger: silentLogger,
    owner: 'test',
    batchSize: options.batchSize ?? 1_000,
    maxAttempts: options.maxAttempts ?? 1,
  }
  const background = inBackground(async (signal) => {
    const id = projectionSubscription(projection)
    const delivery = runPartitions(id, subscriberOf, context, signal)
    await Promise.all([session.run(signal), delivery]).finally(() => pool.end())
  })
  return { ...background, untilCaughtUp: () => untilApplied(database.pool, projection) }
}

/** Waits until a version has applied all that has a position now. */
export async function untilApplied(
  pool: pg.Pool,
  version: { readonly name: string; readonly version: number },
): Promise<void> {
  const head = await headPosition(pool)
  await until(
    `projection "${version.name}" version ${version.version} to reach position ${head}`,
    async (saw) => {
      const { rows } = await pool.query<{ reached: boolean | null; failed: boolean }>(
        /* sql */ `
        select min(position) >= $3 as reached, coalesce(bool_or(state = 'failed'), false) as failed,
          array_agg(position || ' ' || state order by partition) as partitions
        from tidemark.subscriptions
        where kind = 'projection' and name = $1 and version = $2`,
        [version.name, version.version, head.toString()],
      )
      saw(rows)
      if (rows[0]?.failed === true) throw new Error(await failureOf(pool, version))
      return rows[0]?.reached === true
    },
    { timeoutMs },
  )
}

async function failureOf(
  pool: pg.Pool,
  version: { readonly name: string; readonly version: number },
): Promise<string> {
  const { rows } = await pool.query(
    "select error from tidemark.subscriptions where name = $1 and version = $2 and state = 'failed'",
    [version.name, version.version],
  )
  return JSON.stringify(rows[0]?.error)
}
