import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { readHeldLocks } from '../../db/held-locks.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { quoteLiteral } from '../../db/quote-literal.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { leaderLockKey } from '../../sequencer/leader-lock.ts'
import { unsequencedEvents } from '../../sequencer/unsequenced-events.ts'
import { ownershipLockKey } from '../../subscriptions/log-session.ts'
import { concludeRepartition } from '../../subscriptions/partitions/repartition.ts'
import { projectionSubscription } from '../lanes/projection-subscriber.ts'
import { listVersions, type ProjectionVersion } from '../versions/versions.ts'

export interface InlineSwitch {
  readonly name: string
  /** The version that appends are to apply; null: none. */
  readonly version: number | null
  readonly lockTimeoutMs: number
  /** How long appends wait at most. Default 1,000. */
  readonly holdMs?: number
}

/**
 * How long appends wait at most while workers come to the head of the log, and how often to look whether they
 * have.
 */
const timing = { holdMs: 1_000, lookMs: 2 }

/** Reads which version of a projection appends apply; null for none. */
export async function readInlineVersion(
  connection: Connection,
  { schema }: LogNames,
  name: string,
): Promise<number | null> {
  const rows = await run<{ version: number }>(connection, {
    text: `select version from ${schema}.inline_projections where name = $1`,
    values: [name],
  })
  return rows[0]?.version ?? null
}

/**
 * Has the server refuse that anybody but appends writes the rows of a version while it is inline: see
 * guard_inline_rows. In a transaction of its own, before the switch, because workers write the tables until
 * then. Who has the role of appenders may write them from then on.
 */
async function guardRows(
  pool: pg.Pool,
  { schema, roles }: LogNames,
  { name, version, schemaName }: ProjectionVersion,
  lockTimeoutMs: number,
): Promise<void> {
  await transaction(pool, async (client) => {
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
    const { rows } = await client.query<{ name: string }>(
      /* sql */ `
      select c.relname::text as name
      from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1
        and c.relkind in ('r', 'p')
        and not exists (
          select
          from pg_trigger as t
          where t.tgrelid = c.oid and t.tgname = 'tidemark_inline'
        )
      order by c.relname`,
      [schemaName],
    )
    if (rows.length > 0) await grantToAppenders(client, roles.append, schemaName)
    for (const table of rows) {
      await client.query(/* sql */ `
        create trigger tidemark_inline
          before insert or update or delete or truncate
          on ${quoteIdent(schemaName)}.${quoteIdent(table.name)}
          for each statement
          execute function ${schema}.guard_inline_rows(${quoteLiteral(name)}, '${version}')`)
    }
    failpoint('inline-guarded')
  })
}

/** Does what has to be done before a version becomes inline, and hurts nobody if it does not. */
export async function prepareVersion(
  pool: pg.Pool,
  names: LogNames,
  version: ProjectionVersion,
  lockTimeoutMs: number,
): Promise<void> {
  await guardRows(pool, names, version, lockTimeoutMs)
  // Workers may be gone that would have done so.
  await concludeRepartition(pool, names, projectionSubscription(version))
}

/** Who appends writes the rows with rights of his own. */
async function grantToAppenders(
  client: pg.ClientBase,
  role: string,
  schemaName: string,
): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 0) return
  const schema = quoteIdent(schemaName)
  await client.query(/* sql */ `
    grant usage on schema ${schema} to ${role};
    grant select, insert, update, delete on all tables in schema ${schema} to ${role};
    grant usage on all sequences in schema ${schema} to ${role}`)
}

/** Guards the versions that may take the place of an inline one; none when the projection is not inline. */
export async function guardSuccessors(
  pool: pg.Pool,
  names: LogNames,
  name: string,
  lockTimeoutMs: number,
): Promise<void> {
  if ((await readInlineVersion(pool, names, name)) === null) return
  const versions = await listVersions(pool, names, name)
  const successors = versions.filter(({ state }) => state === 'ready' || state === 'standby')
  for (const version of successors) await prepareVersion(pool, names, version, lockTimeoutMs)
}

/**
 * Refuses a switch for which nobody would bring the version to the head of the log: before appends wait in
 * vain.
 */
async function requireWorkers(
  client: pg.ClientBase,
  names: LogNames,
  change: InlineSwitch,
): Promise<void> {
  const { name, version } = change
  const { rows } = await client.query<{ partition: number | null; lag: string; waits: boolean }>(
    /* sql */ `
    select s.partition, coalesce(q.position - s.position, 0)::text as lag,
      exists (${unsequencedEvents(names.schema)}) as waits
    from ${names.schema}.sequencer as q
    left join ${names.schema}.subscriptions as s
      on s.kind = 'projection' and s.name = $1 and s.version = $2`,
    [name, version],
  )
  const lags = rows.map(({ partition, lag }) => ({ partition: partition ?? 0, lag: BigInt(lag) }))
  const id = { kind: 'projection', name, version: version ?? 0 } as const
  const owners = lags
    .filter(({ lag }) => lag > 0n)
    .map(({ partition }) => ownershipLockKey(names, id, partition))
  const leader = leaderLockKey(names.schema)
  const held = await readHeldLocks(client, [leader, ...owners])
  const isLed = rows[0]?.waits !== true || held.has(leader)
  if (isLed && owners.every((owner) => held.has(owner))) return
  const most = lags.reduce((longest, { lag }) => (lag > longest ? lag : longest), 0n)
  throw behind(change, most, isLed ? undelivered : unsequenced, 0)
}

/**
 * Has appends apply another version, or none, from the commit of this transaction on. From here until then
 * they wait.
 *
 * @param client in a transaction of isolation read committed that holds the lock of the projection.
 * @throws PROJECTION_BEHIND when workers did not come to the head in time, PROJECTION_STATE_INVALID; the
 *   server's 55P03 when a long transaction that appends went on. Roll back.
 */
export async function switchInline(
  client: pg.ClientBase,
  names: LogNames,
  change: InlineSwitch,
): Promise<void> {
  await requireWorkers(client, names, change)
  const { lockTimeoutMs, holdMs = timing.holdMs } = change
  await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
  const until = performance.now() + holdMs
  for (;;) {
    const row = await trySwitch(client, names, change)
    if (row?.is_done === true) break
    if (performance.now() >= until) {
      const lag = BigInt(row?.head ?? 0) - BigInt(row?.position ?? row?.head ?? 0)
      throw behind(change, lag, reasonOf(row), holdMs)
    }
    await delay(timing.lookMs)
  }
  failpoint('inline-switched')
}

interface SwitchRow {
  readonly is_done: boolean
  readonly position: string | null
  readonly head: string
  readonly is_sequenced: boolean
  readonly is_dividing: boolean
}

async function trySwitch(
  client: pg.ClientBase,
  { schema }: LogNames,
  { name, version }: InlineSwitch,
): Promise<SwitchRow | undefined> {
  try {
    const { rows } = await client.query<SwitchRow>(
      /* sql */ `
      select is_done, position::text, head::text, is_sequenced, is_dividing
      from ${schema}.switch_inline($1, $2)`,
      [name, version],
    )
    return rows[0]
  } catch (error) {
    if (sqlstateOf(error) !== sqlstate.projectionNotSwitchable) throw error
    const { message, hint = '' } = error as Error & { hint?: string }
    throw new TidemarkError('PROJECTION_STATE_INVALID', `${message}: ${hint}`, {
      details: { projection: name, version: version ?? 0, state: 'live' },
      cause: error,
    })
  }
}

const unsequenced = 'events have no positions yet: run a worker'
const undelivered = 'it is behind: run a worker that defines it'
const undivided = 'its number of partitions is about to change: run a worker that defines it'

function reasonOf(row: SwitchRow | undefined): string {
  if (row?.is_sequenced !== true) return unsequenced
  return row.is_dividing ? undivided : undelivered
}

/** Errors for which another attempt may be all that is needed. */
const passing = new WeakSet<object>()

/** Whether a switch failed because workers had not come to the head of the log, which they may next time. */
export function mayPass(error: object): boolean {
  return passing.has(error)
}

function behind(
  { name, version }: InlineSwitch,
  lag: bigint,
  reason: string,
  heldMs: number,
): TidemarkError {
  const subject =
    version === null ? `projection "${name}"` : `projection "${name}" version ${version}`
  const error = new TidemarkError(
    'PROJECTION_BEHIND',
    `${subject} was not switched, appends waited ${heldMs} ms: ${reason}`,
    { details: { projection: name, version: version ?? 0, lag } },
  )
  passing.add(error)
  return error
}
