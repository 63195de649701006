import type pg from 'pg'
import { heldLocks } from '../db/held-locks.ts'
import { advisoryLockKey, type LogNames } from '../db/log-names.ts'
import { leaderLockKey } from '../sequencer/leader-lock.ts'

/** What a session learns by one question. */
export interface LookAround {
  /** How far the log is sequenced. */
  readonly position: bigint
  /** How far the outbox is. */
  readonly outboxPosition: bigint
  /** Which of the wanted locks this session has got. */
  readonly got: readonly boolean[]
  /** Sessions of this log, this one too. */
  readonly sessions: number
  /** Whether some process leads the sequencer. */
  readonly isLed: boolean
  /** Differs when a version of a projection was made, has changed its state or was dropped. */
  readonly versions: string
  /** Differs when the keys of a subscription are divided into another number of partitions. */
  readonly partitions: string
}

type LookRow = Omit<LookAround, 'position' | 'outboxPosition'> &
  Readonly<Record<'position' | 'outboxPosition', string>>

/** What a session hears on the log's channel when there may be something to see. */
export const lookHint = 'look'

/** Tells all sessions, once it is committed, to look around at once: partitions are to be had, or to be given. */
export function hintToLook({ channel }: LogNames): {
  readonly text: string
  readonly values: string[]
} {
  return { text: 'select pg_notify($1, $2)', values: [channel, lookHint] }
}

/** Has others count this session, for as long as it lives. */
export async function joinSessions(client: pg.ClientBase, { schema }: LogNames): Promise<void> {
  await client.query('select pg_advisory_lock_shared($1)', [sessionsKey(schema)])
}

/** Looks what no notification may have told of, and takes those of the wanted locks that are free. */
export async function lookAround(
  client: pg.ClientBase,
  { schema }: LogNames,
  wanted: readonly string[],
): Promise<LookAround> {
  const { rows } = await client.query<LookRow>({
    name: 'tidemark-look-around',
    text: /* sql */ `
      select
        s.position::text,
        s.outbox_position::text as "outboxPosition",
        array(select pg_try_advisory_lock(k) from unnest($1::bigint[]) as k) as got,
        l.sessions::integer,
        l.is_led as "isLed",
        v.versions,
        p.partitions
      from ${schema}.sequencer as s
      cross join (
        select
          count(*) filter (where held.key = $2) as sessions,
          count(*) filter (where held.key = $3) > 0 as is_led
        from (${heldLocks}) as held
      ) as l
      cross join (
        select format('%s since %s', count(*), max(changed_at)) as versions
        from ${schema}.projections
      ) as v
      cross join (
        select format('%s of %s', count(*), sum(partitions)) as partitions
        from ${schema}.subscriptions
      ) as p`,
    values: [wanted, sessionsKey(schema), leaderLockKey(schema)],
  })
  const row = rows[0]
  if (row === undefined) throw new Error(`the sequencer's row in schema "${schema}" is gone`)
  return {
    ...row,
    position: BigInt(row.position),
    outboxPosition: BigInt(row.outboxPosition),
  }
}

function sessionsKey(schema: string): string {
  return advisoryLockKey(schema, 'sessions').toString()
}
