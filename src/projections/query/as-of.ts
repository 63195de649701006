import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { transaction } from '../../db/transaction.ts'
import { applyLanes, commitLanes, resetLanes } from '../../subscriptions/apply-lanes.ts'
import { type LogMoment, positionAt } from '../../subscriptions/log-moment.ts'
import { ParkedKeys } from '../../subscriptions/parking/parked-keys.ts'
import { readAlone } from '../../subscriptions/read-alone.ts'
import type { LogCursor, LogRun } from '../../subscriptions/read-run.ts'
import type { Subscriber } from '../../subscriptions/subscriber.ts'
import { projectionSubscriber } from '../lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projection.ts'
import { versionSchema } from '../tables/ddl.ts'
import { buildIndexes, buildTables } from '../tables/run-ddl.ts'

export interface AsOfOptions {
  /** Positions in one transaction. Default 5,000. */
  readonly batchSize?: number
  readonly signal?: AbortSignal
}

interface AsOfContext {
  readonly pool: pg.Pool
  readonly names: LogNames
}

const defaults = { batchSize: 5_000 }

/** How long the tables of a process that was killed stand about before somebody removes them. */
const leftoverMs = 24 * 60 * 60 * 1_000

/**
 * Builds projections as they would stand at a moment in the past, in tables of their own, and drops these
 * when `use` has ended. Reads the log from its start to there: as long as a rebuild takes. Live versions,
 * workers and appends do not notice.
 *
 * The tables stand in schemas named `<log>_asof_…`. A process that is killed leaves them behind; whoever
 * looks into the past a day later removes them.
 *
 * @param use gets the schema in which each projection was built, and the position.
 * @throws OPTION_INVALID for a position that the log has not reached, HANDLER_FAILED,
 *   OPERATION_CANCELLED
 */
export async function asOf<T>(
  context: AsOfContext,
  at: LogMoment,
  projections: readonly AnyProjection[],
  use: (schemaOf: (projection: AnyProjection) => string, position: bigint) => Promise<T>,
  options: AsOfOptions = {},
): Promise<T> {
  const { pool, names } = context
  const position = await positionAt(pool, names, at)
  await dropLeftovers(pool, names)
  const copies = new Map<AnyProjection, AnyProjection>()
  try {
    for (const projection of projections) {
      const copy = { ...projection, viewSchema: newSchema(names) }
      copies.set(projection, copy)
      await createUnlogged(pool, copy)
      await build(context, copy, position, options)
      await transaction(pool, (client) => buildIndexes(client, copy))
    }
    return await use((projection) => versionSchema(copies.get(projection) ?? projection), position)
  } finally {
    for (const copy of copies.values()) await dropSchema(pool, versionSchema(copy))
  }
}

async function build(
  { pool, names }: AsOfContext,
  copy: AnyProjection,
  upto: bigint,
  { batchSize = defaults.batchSize, signal }: AsOfOptions,
): Promise<void> {
  const subscriber = projectionSubscriber(copy, names)
  const types = subscriber.fetches ? subscriber.types : null
  const read = (after: LogCursor) => readAlone(pool, names, after, { types, batchSize, end: upto })
  let cursor: LogCursor = { position: 0n, insertId: null }
  let ahead = upto > 0n ? read(cursor) : undefined
  try {
    while (ahead !== undefined) {
      const run = await ahead
      if (signal?.aborted === true) throw cancelled(run.end.position, upto)
      ahead = run.end.position < upto ? read(run.end) : undefined
      ahead?.catch(() => {})
      await apply(pool, subscriber, cursor, run)
      cursor = run.end
    }
  } finally {
    await ahead?.catch(() => {})
  }
}

/** Not durable: nobody but this process will ever read it. */
async function apply(
  pool: pg.Pool,
  subscriber: Subscriber,
  from: LogCursor,
  run: LogRun,
): Promise<void> {
  const chunk = { after: from.position, upto: run.end.position, events: run.events }
  try {
    // Whatever the projection's policy: a moment of which a part is missing is not that moment.
    const apply = (client: pg.ClientBase) => applyLanes(subscriber, client, chunk, new ParkedKeys())
    await transaction(pool, apply, { durable: false })
  } catch (error) {
    resetLanes(subscriber)
    throw error
  }
  commitLanes(subscriber)
}

/** Tables that write no WAL: who looks into the past should cost the present little. */
async function createUnlogged(pool: pg.Pool, copy: AnyProjection): Promise<void> {
  const schema = versionSchema(copy)
  await transaction(pool, async (client) => {
    await client.query(`create schema ${quoteIdent(schema)}`)
    await buildTables(client, copy)
    const { rows } = await client.query<{ name: string }>(
      "select relname::text as name from pg_class where relnamespace = $1::regnamespace and relkind = 'r'",
      [quoteIdent(schema)],
    )
    for (const { name } of rows) {
      await client.query(`alter table ${quoteIdent(schema)}.${quoteIdent(name)} set unlogged`)
    }
  })
}

/** Tells the time of its making, for who finds it left behind. */
function newSchema({ schema }: LogNames): string {
  return `${schema}_asof_${Date.now()}_${randomBytes(3).toString('hex')}`
}

async function dropLeftovers(pool: pg.Pool, { schema }: LogNames): Promise<void> {
  const { rows } = await pool.query<{ name: string; made_at: string }>(
    /* sql */ `
    select nspname::text as name, (regexp_match(nspname, $1))[1] as made_at
    from pg_namespace
    where nspname ~ $1 and pg_has_role(nspowner, 'usage')`,
    [`^${schema}_asof_([0-9]{13})_[0-9a-f]{6}_v[0-9]+$`],
  )
  const old = rows.filter((row) => Number(row.made_at) < Date.now() - leftoverMs)
  for (const { name } of old) await dropSchema(pool, name)
}

async function dropSchema(pool: pg.Pool, schema: string): Promise<void> {
  await pool.query(`drop schema if exists ${quoteIdent(schema)} cascade`)
}

function cancelled(position: bigint, upto: bigint): TidemarkError {
  const operation = 'look into the past'
  return new TidemarkError(
    'OPERATION_CANCELLED',
    `the ${operation} was stopped near position ${position} of ${upto}`,
    { details: { operation } },
  )
}
